// The link that an app opens a browser with: its code is turned into a key for this tab, once.
import { client, keepBearer } from "./engine.js";
import { newHref, replace, sessionHref } from "./route.js";
import { said } from "./words.js";

const PREFIX = "#handoff=";

/** Redeems the code in the address, if there is one. Resolves with what went wrong, in words, or null. */
export async function redeem(): Promise<string | null> {
  const { hash } = window.location;
  if (!hash.startsWith(PREFIX)) return null;
  const code = hash.slice(PREFIX.length);
  replace(newHref()); // before anything else: the code is not to stay in the address or the history
  try {
    const answer = await client.call<{ bearer: string; section: string | null; session_id: string | null }>(
      "POST",
      "/api/handoff/redeem",
      { code },
    );
    keepBearer(answer.bearer);
    if (answer.session_id) replace(sessionHref(answer.session_id));
    else if (answer.section) replace(`#/${answer.section}`);
    return null;
  } catch (error) {
    const { message, hint } = said(error);
    return (error as { code?: string }).code === "handoff_refused"
      ? "This link was already used or is too old. Open the page from the app again."
      : `Sign-in failed: ${message}${hint ? ` (${hint})` : ""}`;
  }
}
