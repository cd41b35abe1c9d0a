// The link that an app opens a browser with: its code is turned into a key for this tab, once.
import { createClient, type Handoff, type HandoffRedeemed } from "@aster-sidecar/client";
import { client, keepBearer } from "./engine.js";
import { texts } from "./messages.js";
import { newHref, replace, sessionHref } from "./route.js";
import { said } from "./problems.js";

const PREFIX = "#handoff=";

/** Redeems the code in the address, if there is one. Resolves with what went wrong, in words, or null. */
export async function redeem(): Promise<string | null> {
  const { hash } = window.location;
  if (!hash.startsWith(PREFIX)) return null;
  const code = hash.slice(PREFIX.length);
  replace(newHref()); // before anything else: the code is not to stay in the address or the history
  try {
    const answer = await client.call<HandoffRedeemed>("POST", "/api/handoff/redeem", { code });
    keepBearer(answer.bearer);
    if (answer.session_id) replace(sessionHref(answer.session_id));
    else if (answer.section) replace(`#/${answer.section}`);
    return null;
  } catch (error) {
    const { message, hint } = said(error);
    if ((error as { code?: string }).code === "handoff_refused") return texts.signIn.linkUsed;
    return hint ? texts.signIn.failedWithHint(message, hint) : texts.signIn.failed(message);
  }
}

/**
 * Signs this tab in with the launcher's token: by a link that it uses itself, because only what a link gave opens a socket
 * and can be taken back. Where there are no links, the token is kept.
 */
export async function signIn(token: string): Promise<void> {
  const asking = createClient({ token, transport: "http" });
  try {
    const { url } = await asking.call<Handoff>("POST", "/api/handoff", {});
    const code = url.slice(url.indexOf(PREFIX) + PREFIX.length);
    keepBearer((await asking.call<HandoffRedeemed>("POST", "/api/handoff/redeem", { code })).bearer);
  } catch {
    keepBearer(token); // what is wrong with it is said when it is used
  }
}
