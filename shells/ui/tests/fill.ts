// A long history, written directly into the daemon's database while it is stopped; real turns would take minutes.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { python } from "../../client/scripts/python.mjs";
import type { Daemon } from "../../client/tests/daemon.js";

const SCRIPT = `
import json, sqlite3, sys
path, session_id, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = sqlite3.connect(path)
usage = json.dumps({"input_tokens": 1, "output_tokens": 1, "requests": 1, "cost_usd": None})
time = "2026-01-01T00:00:00.000Z"
for number in range(count // 2):
    turn = f"turn_fill{number:06}"
    words = f"answer {number}\\n\\n" + "\\n\\n".join(f"- point {line} of answer {number}" for line in range(number % 7))
    for role, text in (("user", f"question {number}"), ("assistant", words)):
        store.execute("INSERT INTO messages (message_id, session_id, turn_id, role, text, parts, usage, created_at, status, first_seq)"
            " VALUES (?,?,?,?,?,?,?,?,?,1)", (f"msg_fill{role}{number:06}", session_id, turn, role, text,
            json.dumps([{"type": "text", "text": text}]), usage if role == "assistant" else None, time, "complete"))
    store.execute("INSERT INTO turns (turn_id, session_id, agent_id, state, stop_reason, user_message_id, message_id, created_at, usage)"
        " VALUES (?,?,'default','ended','complete',?,?,?,?)",
        (turn, session_id, f"msg_filluser{number:06}", f"msg_fillassistant{number:06}", time, usage))
store.commit()
`;

/** Writes this many messages into a session and restarts the daemon. */
export async function fill(daemon: Daemon, session_id: string, messages: number): Promise<void> {
  await daemon.kill();
  const path = join(daemon.home, "data", "aster.db");
  const done = spawnSync(python, ["-c", SCRIPT, path, session_id, String(messages)], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(done.stderr);
  await daemon.start();
}
