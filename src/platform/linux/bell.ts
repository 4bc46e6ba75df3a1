/** `eventfd(2)` as a bell: it wakes a thread that waits for descriptors. */
import { checked, libc } from "./libc.ts";

const EFD_NONBLOCK_CLOEXEC = 0x800 | 0x80000;
const ONE = new Uint8Array(BigUint64Array.of(1n).buffer);

/**
 * Opens a bell. It is not in the ledger of a thread: the one who rings owns it.
 * @throws OsError when there are no more descriptors.
 */
export function openBell(): Disposable & { readonly fd: number; ring(): void } {
  const made = libc().eventfd(0, EFD_NONBLOCK_CLOEXEC);
  let fd = checked(made, "eventfd", "Cannot open a bell");
  return {
    get fd() {
      return fd;
    },
    ring() {
      // Full (EAGAIN) is as good: who does not listen has been rung for already.
      libc().write(fd, ONE, 8 as never);
    },
    [Symbol.dispose]() {
      if (fd >= 0) libc().close(fd);
      fd = -1;
    },
  };
}
