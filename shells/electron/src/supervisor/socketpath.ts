// The path of the Unix socket for a data directory, if there can be one.
import { createHash } from "node:crypto";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

/** The longest path: a socket's address has 108 bytes on Linux and 104 elsewhere, with a final zero. */
const MOST_BYTES = { linux: 107, other: 103 };

/** In the data directory, or in a separate directory if that path is too long. Null: no Unix socket is possible. */
export function socketPath(
  data_dir: string,
  platform: NodeJS.Platform = process.platform,
  runtime_dir: string | undefined = process.env["XDG_RUNTIME_DIR"],
): string | null {
  if (platform === "win32") return null;
  const most = platform === "linux" ? MOST_BYTES.linux : MOST_BYTES.other;
  const name = createHash("sha256").update(data_dir).digest("hex").slice(0, 16);
  const places = [
    join(data_dir, "run", "aster.sock"),
    ...(runtime_dir ? [join(runtime_dir, `aster-${name}`, "aster.sock")] : []),
    join(tmpdir(), `aster-${userInfo().uid}-${name}`, "aster.sock"),
  ];
  return places.find((path) => Buffer.byteLength(path) <= most) ?? null;
}
