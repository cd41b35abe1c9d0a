// Questions that wait for a person, and those that were answered while this page was open.
import type { ApprovalInfo, StoreState } from "@aster-sidecar/client";
import { usePicture } from "./engine.js";

export type ApprovalInfoView = StoreState["approvals"][number];
export type { ApprovalInfo };

export function useQuestion(call_id: string): ApprovalInfoView | undefined {
  return usePicture((state) => state.approvals.find((question) => question.call_id === call_id));
}
