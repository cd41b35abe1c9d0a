// Changing settings, and saying what the daemon thinks of it.
import type { ConfigPatch } from "@aster-sidecar/client";
import { useState } from "react";
import { client, store } from "../engine.js";
import { said } from "../problems.js";

export function useConfigChange(): {
  change: (patch: ConfigPatch) => Promise<boolean>;
  busy: boolean;
  /** What is being changed just now: shown as if it were so already. */
  wanted: ConfigPatch;
  problem: ReturnType<typeof said> | null;
  /** Takes the problem back: it was one of what stood there before. */
  forget: () => void;
} {
  const [wanted, setWanted] = useState<ConfigPatch>({});
  const busy = Object.keys(wanted).length > 0;
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  async function change(patch: ConfigPatch): Promise<boolean> {
    setWanted(patch);
    setProblem(null);
    try {
      const { values } = await client.config.set(patch);
      // The event that tells of it may take a moment longer than the answer.
      await Promise.race([
        store.until(({ config }) =>
          Object.keys(patch).every(
            (key) => JSON.stringify(config?.values[key]?.value) === JSON.stringify(values[key]?.value),
          ),
        ),
        new Promise((resolve) => setTimeout(resolve, 1000)),
      ]);
      return true;
    } catch (error) {
      setProblem(said(error));
      return false;
    } finally {
      setWanted({});
    }
  }
  const forget = (): void => {
    setProblem(null);
  };
  return { change, busy, wanted, problem, forget };
}
