import { Note } from "../Buttons.js";
import { visible } from "../Plain.js";

/** The error of an action that just failed. */
export function Problem({ problem }: { problem: { message: string; hint?: string | null } | null }) {
  if (problem === null) return null;
  return (
    <div role="alert">
      <Note kind="error">
        {visible(problem.message)}
        {problem.hint && <span className="hint">{visible(problem.hint)}</span>}
      </Note>
    </div>
  );
}
