// The link with which an app opens a browser: its code is redeemed once, for a key for this tab.
import { createClient, type Handoff, type HandoffRedeemed } from "@aster-sidecar/client";
import { client, keepBearer } from "./engine.js";
import { texts } from "./messages.js";
import { newHref, replace, sessionHref } from "./route.js";
import { said } from "./problems.js";

const PREFIX = "#handoff=";

/** Redeems the code in the address, if there is one. Resolves with an error message or null. */
export async function redeem(): Promise<string | null> {
  const { hash } = window.location;
  if (!hash.startsWith(PREFIX)) return null;
  const code = hash.slice(PREFIX.length);
  replace(newHref()); // first of all: the code must not stay in the address or the history
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
 * Signs this tab in with the launcher's token. It makes a sign-in link and redeems it itself, because only a key from a
 * link can open a socket and be revoked. If the daemon makes no links, the token itself is kept.
 */
export async function signIn(token: string): Promise<void> {
  const asking = createClient({ token, transport: "http" });
  try {
    const { url } = await asking.call<Handoff>("POST", "/api/handoff", {});
    const code = url.slice(url.indexOf(PREFIX) + PREFIX.length);
    keepBearer((await asking.call<HandoffRedeemed>("POST", "/api/handoff/redeem", { code })).bearer);
  } catch {
    keepBearer(token); // an invalid token causes an error when it is used
  }
}
