// The package's second entry point, `@aster-sidecar/client/tools`: a program lends its own functions to agents as tools.
import type { Backoff } from "./backoff.js";
import type { Client } from "./client.js";
import { Lending, type CallContext, type Lender, type LenderState, type Runner } from "./lending.js";
import { jsonSchemaOf, parsed, type JsonSchema, type StandardSchema } from "./parameters.js";
import type { components } from "./wire.js";

export type { CallContext, Lender, LenderState } from "./lending.js";
export type { JsonSchema, StandardSchema } from "./parameters.js";

/** A tool that a program lends. */
export interface LentTool<Args> {
  /** What the tool does, for the model. */
  description: string;
  /** An object: JSON Schema, or a schema such as `z.object({…})`. Default: no check. */
  parameters?: JsonSchema | StandardSchema<Args>;
  /** Parses the arguments, after they were checked against `parameters`. What it throws is the call's error. */
  parse?: (args: unknown) => Args | Promise<Args>;
  /** Default: `medium`. */
  risk?: components["schemas"]["HostTool"]["risk"];
  /** How long the agent waits for the result, in seconds. Default: 60. */
  timeout_s?: number;
  /**
   * What becomes of a call while no instance of this program is there: `fail` ends it, at the latest after `timeout_s`;
   * `durable` lets it wait without a limit. Default: `fail`.
   */
  wait?: "fail" | "durable";
  /** Whether a call may be run again if it is not known how it ended. */
  idempotent?: boolean;
  /** The ids of the agents that have the tool. Default: all. */
  agents?: readonly string[];
  /** Runs a call. The result is any JSON value; the message of an error that it throws is the result for the model. */
  run: (args: Args, context: CallContext) => unknown;
}

export interface LendOptions<Args> {
  /** The name of this program, such as `browser`: small letters, digits, `-` and `_`. */
  name: string;
  /** The tools by name: letters, digits and `_`. */
  tools: { [Tool in keyof Args]: LentTool<Args[Tool]> };
  /** Take over from another instance that is still there. Applies until the tools are offered for the first time. */
  replace?: boolean;
  /** Tells the instances of a program apart: new for each process and window. Default: random. */
  instance?: string;
  /** How many calls run at once. Default: 8. */
  concurrency?: number;
  /** Called when the state changes. */
  onState?: (state: LenderState) => void;
  /** How long to wait before another try. */
  backoff?: Backoff;
}

/**
 * Lends tools to agents until `close`: registers them, runs the calls and answers them. It registers again by itself
 * after a restart of the daemon, and keeps results until they are delivered. Each call is run at most once. Throws
 * TypeError if the parameters of a tool can't be written as JSON Schema.
 */
export function lendTools<Args extends object>(client: Client, options: LendOptions<Args>): Lender {
  const runners = new Map<string, Runner>();
  for (const [name, tool] of Object.entries(options.tools as unknown as Record<string, LentTool<never>>)) {
    const { description, parameters, risk, timeout_s, wait, idempotent, agents, parse, run } = tool;
    const rest = { risk, timeout_s, wait, idempotent, agents }; // JSON leaves out what is undefined
    runners.set(name, {
      definition: { name, description, parameters: jsonSchemaOf(name, parameters), ...rest },
      idempotent: idempotent ?? false,
      async run(given, context) {
        const args = await parsed(parameters, given);
        return await run((parse ? await parse(args) : args) as never, context);
      },
    });
  }
  return new Lending(client, { ...options, tools: runners });
}
