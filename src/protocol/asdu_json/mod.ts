/**
 * The messages in which the collector of telemetry tells every information object: one JSON object
 * each, the value of a Kafka or MQTT message and the element of a pushed chunk.
 *
 * ```json
 * { "msgId": "…", "host": "10.1.2.3", "port": 2404, "asdu": "M_ME_TF_1", "typeId": 36,
 *   "dataType": 6, "coa": 1,
 *   "body": { "ioa": 16385, "value": 220.5, "qds": 0, "qdsDesc": "QDS(00000000)[QDSGood]",
 *     "ov": false, "bl": false, "sb": false, "nt": false, "iv": false,
 *     "time": "2026-02-03 10:11:12.345000" },
 *   "time": "2026-02-03 10:11:12.400123", "metaData": { "stationId": "330KV" },
 *   "pm": { "deviceId": "d1", "deviceName": "T1", "tdTableType": "yc", "ext1": "alarm" },
 *   "headers": { "traceparent": "00-…" }, "traceId": "…" }
 * ```
 *
 * | dataType | Types | body beside `ioa`, quality and `time` |
 * |---|---|---|
 * | 0 | 1, 2, 30 | `value` true or false |
 * | 1 | 3, 4, 31 | `value` 0 intermediate, 1 off, 2 on, 3 faulty |
 * | 2 | 11, 12, 35 | `value` from -32768 to 32767 |
 * | 3 | 9, 10, 34, 21 | `value` raw, `nva` = raw / 32768 |
 * | 4 | 5, 6, 32 | `value` { `val`, `hasTransient` } |
 * | 5 | 7, 8, 33 | `value` 32 bits |
 * | 6 | 13, 14, 36 | `value`; null for what JSON has no number for |
 * | 7 | 15, 16, 37 | `value` { `counterReading`, `seqNumber`, `hasCarry`, … } |
 * | 8 | 17, 38 | `event`, `msec`, quality QDP |
 * | 9 | 18, 39 | `event` bits, `msec`, quality QDP |
 * | 10 | 19, 40 | `oci`, `gc`, `cl1`, `cl2`, `cl3`, `msec`, quality QDP |
 * | 11 | 20 | `scd`, `stn`, `cdn` |
 * | 12 to 19 | commands, end of initialization | not sent |
 * | 20 | all others | not sent |
 *
 * @module
 */
export * from "./message.ts";
