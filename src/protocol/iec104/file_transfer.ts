/**
 * File transfer in monitor direction, both ends: a directory, and files section by section, each
 * with its checksum (IEC 60870-5-101, 7.4.11). Pure: ASDUs in, ASDUs out.
 * @module
 */
import { concat } from "../../base/octets.ts";
import { type Asdu, asdu, capacityOf } from "./asdu.ts";
import { ASDU_MAX, CAUSE, type Profile, PROFILE_104, TYPE } from "./constants.ts";
import type { InformationObject } from "./objects.ts";
import type { TimeTag } from "./time_tag.ts";

/** Select and call qualifier, SCQ (101, 7.2.6.30). */
export const FILE_CALL = {
  selectFile: 1,
  requestFile: 2,
  deactivateFile: 3,
  deleteFile: 4,
  selectSection: 5,
  requestSection: 6,
  deactivateSection: 7,
} as const;
/** Last section or segment qualifier, LSQ (101, 7.2.6.31). */
export const FILE_LAST = {
  file: 1,
  fileDeactivated: 2,
  section: 3,
  sectionDeactivated: 4,
} as const;
/** Acknowledge qualifier, AFQ (101, 7.2.6.32); reasons are in its high four bits. */
export const FILE_ACKNOWLEDGE = {
  file: 1,
  fileRefused: 2,
  section: 3,
  sectionRefused: 4,
} as const;
/** Bits of the status of a file, SOF (101, 7.2.6.38). */
export const FILE_STATUS = { last: 0x20, directory: 0x40, active: 0x80 } as const;
/** FRQ and SRQ: it is not ready. */
const NOT_READY = 0x80;
/** AFQ: the checksum is wrong. */
const CHECKSUM_WRONG = 0x20;
/** Octets of a segment beside its data: name, section, length. */
const SEGMENT_HEAD = 4;
/** Times that a section is asked for again. */
export const SECTION_TRIES = 3;

/** What a file is called: its object, and its name there. */
export interface FileName {
  readonly commonAddress: number;
  readonly address: number;
  /** NOF: 1 transparent, 2 disturbance data, 3 sequences of events, and so on. */
  readonly file: number;
}

/** What a step of a transfer leads to. */
export interface FileStep {
  readonly send: readonly Asdu[];
  /** The transfer has ended, with the file or with the reason why there is none. */
  readonly end?: { readonly octets: Uint8Array } | { readonly refused: string };
}

/** The sum of all octets, modulo 256: CHS (101, 7.2.6.37). */
export function fileChecksum(octets: Uint8Array, before = 0): number {
  let sum = before;
  for (const octet of octets) sum = sum + octet & 0xff;
  return sum;
}

function fileAsdu(
  type: number,
  { commonAddress }: Pick<FileName, "commonAddress">,
  object: InformationObject,
  originator = 0,
): Asdu {
  return asdu({ type, cause: CAUSE.file, originator, commonAddress, objects: [object] });
}

/** The request for the directory of a station. */
export function directoryRequest(commonAddress: number, originator: number): Asdu {
  const object: InformationObject = {
    ...{ kind: "file_call", address: 0, file: 0, section: 0, qualifier: 0 },
  };
  const fields = { type: TYPE.F_SC_NA_1, cause: CAUSE.request, originator, commonAddress };
  return asdu({ ...fields, objects: [object] });
}

/** The controlling end of one file's transfer. */
export class FileReading {
  readonly #sections: Uint8Array[] = [];
  #segments: Uint8Array[] = [];
  #section = 0;
  #sectionSize = 0;
  #size = 0;
  #received = 0;
  #tries = 0;

  /** @param sizeMax A longer file is not taken. */
  constructor(readonly name: FileName, readonly originator: number, readonly sizeMax: number) {}

  /** Octets that have come, and that the file has. */
  get progress(): { readonly received: number; readonly size: number } {
    return { received: this.#received, size: this.#size };
  }

  /** The first request. */
  start(): Asdu {
    return this.#call(FILE_CALL.selectFile, 0);
  }

  /** Whether an ASDU belongs to this transfer. */
  concerns({ commonAddress, objects: [object] }: Asdu): boolean {
    return commonAddress === this.name.commonAddress && object !== undefined &&
      object.address === this.name.address && "file" in object && object.file === this.name.file;
  }

  /** Takes an ASDU that {@linkcode concerns} it. */
  take(received: Asdu): FileStep {
    const [object] = received.objects;
    if (received.negative || received.cause !== CAUSE.file) {
      return refused("the station does not know it");
    }
    switch (object?.kind) {
      case "file_ready":
        if (object.qualifier & NOT_READY) return refused("the file is not ready");
        if (object.length > this.sizeMax) {
          const why = `the file has ${object.length} octets, and ${this.sizeMax} are taken`;
          return { ...refused(why), send: [this.#call(FILE_CALL.deactivateFile, 0)] };
        }
        this.#size = object.length;
        return sends(this.#call(FILE_CALL.requestFile, 0));
      case "section_ready":
        if (object.qualifier & NOT_READY) return refused(`section ${object.section} is not ready`);
        this.#section = object.section;
        this.#sectionSize = object.length;
        this.#segments = [];
        return sends(this.#call(FILE_CALL.requestSection, object.section));
      case "segment":
        return this.#segment(object.section, object.octets);
      case "last_segment":
        return object.qualifier === FILE_LAST.section || object.qualifier === FILE_LAST.file
          ? this.#last(object.qualifier, object.checksum)
          : refused("the station has broken it off");
      default:
        return { send: [] };
    }
  }

  #segment(section: number, octets: Uint8Array): FileStep {
    if (section !== this.#section) return { send: [] };
    this.#segments.push(octets);
    this.#received += octets.length;
    if (this.#received <= this.#size) return { send: [] };
    const send = [this.#call(FILE_CALL.deactivateFile, 0)];
    return { ...refused("more came than was announced"), send };
  }

  #last(qualifier: number, checksum: number): FileStep {
    if (qualifier === FILE_LAST.file) return this.#end(checksum);
    const section = concat(this.#segments);
    const whole = section.length === this.#sectionSize && fileChecksum(section) === checksum;
    if (whole) {
      this.#sections.push(section);
      this.#segments = [];
      this.#tries = 0;
      return sends(this.#acknowledge(FILE_ACKNOWLEDGE.section));
    }
    this.#received -= section.length;
    this.#segments = [];
    this.#tries += 1;
    const send = [this.#acknowledge(FILE_ACKNOWLEDGE.sectionRefused | CHECKSUM_WRONG)];
    if (this.#tries < SECTION_TRIES) return { send };
    return { ...refused(`section ${this.#section} came damaged ${this.#tries} times`), send };
  }

  #end(checksum: number): FileStep {
    const octets = concat(this.#sections);
    if (octets.length === this.#size && fileChecksum(octets) === checksum) {
      return { send: [this.#acknowledge(FILE_ACKNOWLEDGE.file)], end: { octets } };
    }
    const send = [this.#acknowledge(FILE_ACKNOWLEDGE.fileRefused | CHECKSUM_WRONG)];
    return { ...refused("length or checksum of the file is wrong"), send };
  }

  #call(qualifier: number, section: number): Asdu {
    const { address, file } = this.name;
    const object = { kind: "file_call", address, file, section, qualifier } as const;
    return fileAsdu(TYPE.F_SC_NA_1, this.name, object, this.originator);
  }

  #acknowledge(qualifier: number): Asdu {
    const { address, file } = this.name;
    const section = this.#section;
    const object = { kind: "file_acknowledgement", address, file, section, qualifier } as const;
    return fileAsdu(TYPE.F_AF_NA_1, this.name, object, this.originator);
  }
}

function refused(why: string): FileStep & { end: { refused: string } } {
  return { send: [], end: { refused: why } };
}

function sends(...send: Asdu[]): FileStep {
  return { send };
}

/** A file that a station has. */
export interface StationFile {
  readonly address: number;
  readonly file: number;
  readonly octets: Uint8Array;
  readonly time: TimeTag;
}

/** Octets of a section, when the station is not told otherwise. */
export const SECTION_SIZE = 4096;

/** The controlled end: one file at a time, as the standard has it. */
export class FileServing {
  #current: { file: StationFile; at: number; section: number } | undefined;

  constructor(
    readonly commonAddress: number,
    readonly files: readonly StationFile[],
    readonly profile: Profile = PROFILE_104,
    readonly sectionSize = SECTION_SIZE,
  ) {}

  /** The answer to a request of file transfer; undefined when it is none. */
  take(request: Asdu): Asdu[] | undefined {
    const [object] = request.objects;
    if (object?.kind === "file_call" && request.cause === CAUSE.request) return this.#directory();
    if (object?.kind === "file_call") return this.#call(object);
    if (object?.kind === "file_acknowledgement") return this.#acknowledged(object.qualifier & 0x0f);
    return undefined;
  }

  #directory(): Asdu[] {
    const most = capacityOf(TYPE.F_DR_TA_1, false, this.profile);
    const lines = this.files.map(({ address, file, octets, time }, index): InformationObject => ({
      kind: "directory",
      address,
      file,
      length: octets.length,
      status: index === this.files.length - 1 ? FILE_STATUS.last : 0,
      time,
    }));
    const answers: Asdu[] = [];
    for (let from = 0; from < lines.length; from += most) {
      const objects = lines.slice(from, from + most);
      const { commonAddress } = this;
      answers.push(asdu({ type: TYPE.F_DR_TA_1, cause: CAUSE.request, commonAddress, objects }));
    }
    return answers;
  }

  #call(call: Extract<InformationObject, { kind: "file_call" | "file_acknowledgement" }>): Asdu[] {
    const { address, file: name, section, qualifier } = call;
    const file = this.files.find((one) => one.address === address && one.file === name);
    switch (qualifier & 0x0f) {
      case FILE_CALL.selectFile: {
        const ready = file ? 0 : NOT_READY;
        this.#current = file && { file, at: 0, section: 0 };
        const length = file?.octets.length ?? 0;
        const object = {
          kind: "file_ready",
          address,
          file: name,
          length,
          qualifier: ready,
        } as const;
        return [fileAsdu(TYPE.F_FR_NA_1, this, object)];
      }
      case FILE_CALL.requestFile:
        return this.#next();
      case FILE_CALL.requestSection:
        return section === this.#current?.section ? this.#section() : [];
      case FILE_CALL.deactivateFile:
        this.#current = undefined;
        return [];
      default:
        return [];
    }
  }

  #acknowledged(qualifier: number): Asdu[] {
    const current = this.#current;
    if (!current) return [];
    if (qualifier === FILE_ACKNOWLEDGE.section) {
      current.at += this.sectionSize;
      return this.#next();
    }
    // The same section is offered once more.
    if (qualifier === FILE_ACKNOWLEDGE.sectionRefused) {
      current.section -= 1;
      return this.#next();
    }
    this.#current = undefined;
    return [];
  }

  /** The next section is ready, or the file has ended. */
  #next(): Asdu[] {
    const current = this.#current;
    if (!current) return [];
    const { file: { address, file, octets }, at } = current;
    if (at >= octets.length) {
      const object = {
        kind: "last_segment",
        address,
        file,
        section: current.section,
        qualifier: FILE_LAST.file,
        checksum: fileChecksum(octets),
      } as const;
      return [fileAsdu(TYPE.F_LS_NA_1, this, object)];
    }
    current.section = current.section % 255 + 1;
    const { section } = current;
    const length = Math.min(this.sectionSize, octets.length - at);
    const object = { kind: "section_ready", address, file, section, length, qualifier: 0 } as const;
    return [fileAsdu(TYPE.F_SR_NA_1, this, object)];
  }

  /** All segments of the current section, and its end. */
  #section(): Asdu[] {
    const { file: { address, file, octets }, at, section } = this.#current!;
    const part = octets.subarray(at, at + this.sectionSize);
    const { causeSize, commonAddressSize, objectAddressSize } = this.profile;
    const head = 2 + causeSize + commonAddressSize + objectAddressSize + SEGMENT_HEAD;
    const most = ASDU_MAX - head;
    const answers: Asdu[] = [];
    for (let from = 0; from < part.length; from += most) {
      const piece = part.slice(from, from + most);
      const object = { kind: "segment", address, file, section, octets: piece } as const;
      answers.push(fileAsdu(TYPE.F_SG_NA_1, this, object));
    }
    const checksum = fileChecksum(part);
    const qualifier = FILE_LAST.section;
    const last = { kind: "last_segment", address, file, section, qualifier, checksum } as const;
    answers.push(fileAsdu(TYPE.F_LS_NA_1, this, last));
    return answers;
  }
}
