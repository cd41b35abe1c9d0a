// How much of the model's context window a conversation fills, in its header and in its panel.
import type { Session } from "@aster-sidecar/client";
import { texts } from "./messages.js";

type Context = NonNullable<Session["context"]>;

/** From this percentage on, the meter warns: the daemon summarises a conversation that fills more than 80 %. */
const NEARLY_FULL = 80;

/** Rounded down, so that the meter never shows 80 % before it warns. */
function percentOf({ used_tokens }: Context, window_tokens: number): number {
  return Math.min(100, Math.floor((used_tokens / window_tokens) * 100));
}

/** The same as the meter, as a sentence. */
export function contextWords(context: Context): string {
  const { used_tokens, window_tokens } = context;
  if (window_tokens === null) return texts.context.windowUnknown(used_tokens);
  return percentOf(context, window_tokens) < NEARLY_FULL
    ? texts.context.used(used_tokens, window_tokens)
    : texts.context.nearlyFull(used_tokens, window_tokens);
}

export function ContextMeter({ context }: { context: Context }) {
  const { used_tokens, window_tokens } = context;
  const words = contextWords(context);
  if (window_tokens === null) {
    return (
      <span className="context" title={words}>
        {texts.shared.tokens(used_tokens)}
      </span>
    );
  }
  const filled = percentOf(context, window_tokens);
  return (
    <span
      className={filled < NEARLY_FULL ? "context" : "context context-nearly-full"}
      role="meter"
      aria-label={texts.context.label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={filled}
      aria-valuetext={words}
      title={words}
    >
      <svg className="context-ring" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
        <circle cx="10" cy="10" r="8" />
        <circle cx="10" cy="10" r="8" pathLength={100} strokeDasharray={`${filled} 100`} />
      </svg>
      <span>
        {texts.context.filled(filled, (rest) => (
          <span className="context-rest">{rest}</span>
        ))}
      </span>
    </span>
  );
}
