// Changes settings and shows the daemon's errors.
import type { ConfigPatch } from "@aster-sidecar/client";
import { useState } from "react";
import { client, store } from "../engine.js";
import { said } from "../problems.js";

export function useConfigChange(): {
  change: (patch: ConfigPatch) => Promise<boolean>;
  busy: boolean;
  /** The values that are being saved; they are shown as if they were set already. */
  wanted: ConfigPatch;
  problem: ReturnType<typeof said> | null;
  /** Clears the problem: it belonged to the earlier text. */
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
      // The event for this change may arrive shortly after the answer.
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
