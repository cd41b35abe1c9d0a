// Data that a section of the settings requests itself, because the store does not keep it.
import type { EventType } from "@aster-sidecar/client";
import { useCallback, useEffect, useRef, useState } from "react";
import { client, onEvent, usePicture } from "./engine.js";
import { said } from "./problems.js";

export interface Endpoint<T> {
  data: T | null;
  problem: ReturnType<typeof said> | null;
  reload: () => void;
  set: (data: T) => void;
}

/** The answer of an endpoint; requested again after each of these events, and after a restart of the daemon. */
export function useEndpoint<T>(path: string, events: readonly EventType[] = []): Endpoint<T> {
  const instance = usePicture((state) => state.connection.instance_id);
  const [state, setState] = useState<Pick<Endpoint<T>, "data" | "problem">>({ data: null, problem: null });
  const newest = useRef(0);
  const reload = useCallback(() => {
    const mine = (newest.current += 1);
    client.call<T>("GET", path).then(
      (data) => {
        if (mine === newest.current) setState({ data, problem: null });
      },
      (error: unknown) => {
        if (mine === newest.current) setState((before) => ({ ...before, problem: said(error) }));
      },
    );
  }, [path]);
  const types = events.join(" ");
  useEffect(() => {
    reload();
    return onEvent(({ type }) => {
      if (types.split(" ").includes(type) || type === "resync") reload();
    });
  }, [reload, types, instance]);
  const set = useCallback((data: T) => {
    newest.current += 1;
    setState({ data, problem: null });
  }, []);
  return { ...state, reload, set };
}
