/**
 * What is taken of noble's curves: the one place that names its parts.
 * @module
 */
export { normalizeZ } from "@noble/curves/abstract/curve.js";
export { weierstrass } from "@noble/curves/abstract/weierstrass.js";
export { bls12_381 } from "@noble/curves/bls12-381.js";
export { p256 } from "@noble/curves/nist.js";
export { secp256k1 } from "@noble/curves/secp256k1.js";
