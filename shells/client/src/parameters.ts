// The parameters of a lent tool: as JSON Schema for the daemon, and how the arguments of a call are parsed.

/** A JSON Schema, or a schema of a library that follows Standard Schema and can write itself as JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

type Validated<Value> =
  | { readonly value: Value; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] };

/**
 * A schema of any library that follows Standard Schema (https://standardschema.dev): Zod, Valibot, ArkType and others.
 * It has to be able to write itself as JSON Schema, with the standard's `jsonSchema` or with a method `toJSONSchema`.
 */
export interface StandardSchema<Value = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Validated<Value> | Promise<Validated<Value>>;
    readonly types?: { readonly input: unknown; readonly output: Value } | undefined;
  };
}

/** The part of Standard JSON Schema that is used. The types of some libraries leave it out. */
interface Writes {
  readonly "~standard": { readonly jsonSchema?: { input?: (options: { target: string }) => JsonSchema } };
  readonly toJSONSchema?: (options: { io: "input" }) => JsonSchema;
}

function isStandard(parameters: JsonSchema | StandardSchema): parameters is StandardSchema {
  return "~standard" in parameters;
}

/** The JSON Schema of parameters. Throws TypeError if a schema can't write itself as JSON Schema. */
export function jsonSchemaOf(tool: string, parameters: JsonSchema | StandardSchema = { type: "object" }): JsonSchema {
  if (!isStandard(parameters)) return parameters;
  const writes = parameters as unknown as Writes;
  const { jsonSchema } = writes["~standard"];
  if (jsonSchema?.input) return jsonSchema.input({ target: "draft-2020-12" });
  if (writes.toJSONSchema) return writes.toJSONSchema({ io: "input" });
  throw new TypeError(`the tool ${tool}: give its parameters as JSON Schema, and the schema's check as \`parse\``);
}

/** The arguments of a call as the schema parses them. Rejects with an error for the model if they don't match. */
export async function parsed(parameters: JsonSchema | StandardSchema | undefined, given: unknown): Promise<unknown> {
  if (!parameters || !isStandard(parameters)) return given; // the daemon has checked them
  const outcome = await parameters["~standard"].validate(given);
  if (!outcome.issues) return outcome.value;
  throw new Error(
    outcome.issues.map(({ message, path }) => [...(path ?? []).map(keyOf), message].join(": ")).join("\n"),
  );
}

function keyOf(step: unknown): string {
  return String(typeof step === "object" && step !== null && "key" in step ? step.key : step);
}
