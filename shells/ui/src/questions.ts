// All that waits for a person: calls that need permission, and questions of agents and servers.
import { approvalsOf, questionsOf, type ApprovalInfo, type Question, type StoreState } from "@aster-sidecar/client";
import { useMemo } from "react";
import { usePicture } from "./engine.js";

export type ApprovalInfoView = StoreState["approvals"][number];
export type { ApprovalInfo };

export function useApproval(call_id: string): ApprovalInfoView | undefined {
  return usePicture((state) => state.approvals.find((approval) => approval.call_id === call_id));
}

/** The open question of a call. */
export function useQuestion(call_id: string): Question | undefined {
  return usePicture((state) => state.questions.find((question) => question.call_id === call_id));
}

/** How many things wait for an answer of the person: in one conversation, or in all. */
export function useOpenCount(session_id?: string): number {
  return usePicture((state) =>
    session_id === undefined
      ? state.approvals.length + state.questions.length
      : approvalsOf(state, session_id).length + questionsOf(state, session_id).length,
  );
}

interface Waiting {
  key: string;
  session_id: string;
  agent_id: string;
  asked_at: string;
  approval: ApprovalInfoView | null;
  question: Question | null;
}

/** All that waits for an answer, oldest first. */
export function useWaitingList(): readonly Waiting[] {
  const approvals = usePicture((state) => state.approvals);
  const questions = usePicture((state) => state.questions);
  return useMemo(() => {
    const asked = approvals.map((approval): Waiting => {
      const { call_id: key, session_id, agent_id, requested_at: asked_at } = approval;
      return { key, session_id, agent_id, asked_at, approval, question: null };
    });
    for (const question of questions) {
      const { question_id: key, session_id, agent_id, asked_at } = question;
      asked.push({ key, session_id, agent_id, asked_at, approval: null, question });
    }
    return asked.sort((a, b) => Date.parse(a.asked_at) - Date.parse(b.asked_at));
  }, [approvals, questions]);
}

/** The kinds of fields to which a message in the conversation can be the answer. */
const TYPED = new Set(["text", "choice", "number"]);

/** Whether a message in this conversation answers the question that is open: the only thing that it waits for. */
export function useAnswerable(session_id: string | undefined): boolean {
  return usePicture((state) => {
    if (session_id === undefined || approvalsOf(state, session_id).length > 0) return false;
    const [question, ...others] = questionsOf(state, session_id);
    const fields = question?.fields ?? [];
    return others.length === 0 && fields.length === 1 && TYPED.has(fields[0]?.kind ?? "");
  });
}
