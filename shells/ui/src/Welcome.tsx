// The first run, step by step, as the daemon sees it. None of it has to be done before a conversation.
import { isOn, type Immutable, type Onboarding } from "@aster-sidecar/client";
import { useState } from "react";
import { Note } from "./Buttons.js";
import { client, host, usePicture } from "./engine.js";
import { Icon } from "./Icon.js";
import { visible } from "./Plain.js";
import { go, newHref } from "./route.js";
import { Modes } from "./settings/Modes.js";
import { ModelsSection } from "./settings/Models.js";
import { Problem } from "./settings/Problem.js";
import { said, times } from "./words.js";

const NAMES: Record<string, string> = {
  welcome: "Welcome",
  environment: "This machine",
  state_root: "Where your data is kept",
  engine: "The daemon",
  provider: "A model that answers",
  permissions: "When the agent asks you",
  handoff: "Open it in your browser, too",
  done: "Ready",
};

const WORDS: Record<string, string> = {
  welcome:
    "Aster runs on this machine. Your conversations stay in its data directory; messages go to the model you choose.",
  environment: "What the daemon found when it looked around.",
  state_root: "Conversations, rules and settings live in one directory.",
  engine: "It answers, and it can record what is said.",
  provider: "A key, a model on this machine, or the demo model, which needs neither.",
  permissions: "Choose what may run without asking. You can change it at any time.",
  handoff: "A link signs your browser in, once. You don’t need it to go on.",
  done: "That is all.",
};

const CHECKS = { ok: "check", warning: "warning", blocked: "cross" } as const;

type OnboardingStep = Immutable<Onboarding["steps"][number]>;

export default function Welcome() {
  const onboarding = usePicture((state) => state.onboarding);
  const shell = usePicture((state) => isOn(state, "companion_shell"));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);

  async function act(step: string, action: "complete" | "skip" | "reset"): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      const after = await client.call<Onboarding>("POST", "/api/onboarding", { step, action });
      if (after.done && step === "done") go(newHref());
    } catch (error) {
      setProblem(said(error));
    } finally {
      setBusy(false);
    }
  }

  const steps = shell ? (onboarding?.steps ?? []) : [];
  const left = steps.filter(({ state, optional }) => !optional && (state === "todo" || state === "current")).length;
  return (
    <div className="page-scroller" tabIndex={0} role="region" aria-label="Set up">
      <div className="page">
        <h1>Set up Aster</h1>
        <p className="lead">
          {!shell
            ? "There are no steps to go through: the companion is switched off."
            : left > 0
              ? `${times(left, "step is", "steps are")} left. You can talk at any time.`
              : "Everything is done."}
        </p>
        <div className="form-buttons">
          <a className="button start" href="#/new">
            Start talking
          </a>
        </div>
        <Problem problem={problem} />
        <ol className="steps">
          {steps.map((step, place) => (
            <Step
              key={step.id}
              step={step}
              number={place + 1}
              current={step.id === onboarding?.current}
              busy={busy}
              act={(action) => void act(step.id, action)}
            />
          ))}
        </ol>
      </div>
    </div>
  );
}

interface StepProps {
  step: OnboardingStep;
  number: number;
  current: boolean;
  busy: boolean;
  act: (action: "complete" | "skip" | "reset") => void;
}

function Step({ step, number, current, busy, act }: StepProps) {
  const { id, state, checks, failures, last_error, actions } = step;
  const [opened, setOpened] = useState(false);
  const open = current || opened;
  const over = state === "done" || state === "skipped";
  return (
    <li className={`step step-${current ? "current" : state}`} aria-current={current ? "step" : undefined}>
      <div className="step-head">
        <span className="step-mark">{over ? <Icon name="check" /> : number}</span>
        <h2>{NAMES[id] ?? id}</h2>
        {state === "skipped" && <span className="badge">skipped</span>}
        {step.optional && !over && <span className="badge">optional</span>}
        {!current && (
          <button type="button" className="small-button" aria-expanded={open} onClick={() => setOpened(!opened)}>
            {open ? "Close" : "Look"}
            <span className="out-of-sight"> at {NAMES[id] ?? id}</span>
          </button>
        )}
      </div>
      {open && (
        <div className="step-body">
          <p>{WORDS[id]}</p>
          {checks.length > 0 && (
            <ul className="checks">
              {checks.map((check) => (
                <li key={check.id} className={`check-${check.status}`}>
                  <Icon name={CHECKS[check.status]} />
                  <span>
                    <span className="out-of-sight">{check.status}: </span>
                    {visible(check.message)}
                    {check.remedy && <span className="hint">{visible(check.remedy)}</span>}
                  </span>
                </li>
              ))}
            </ul>
          )}
          {id === "provider" && <ModelsSection />}
          {id === "permissions" && <Modes />}
          {id === "handoff" && host === null && <p className="quiet">You are in a browser already.</p>}
          {failures > 0 && (
            <Note kind="warning">
              It has failed {times(failures, "time")}. {last_error && visible(last_error.message)}
              {actions.length > 0 && <span className="hint">What may help: {visible(actions.join("; "))}.</span>}
            </Note>
          )}
          <div className="form-buttons">
            {over ? (
              <button type="button" disabled={busy} onClick={() => act("reset")}>
                Do it again
              </button>
            ) : (
              <>
                <button type="button" className="primary" disabled={busy} onClick={() => act("complete")}>
                  {id === "done" ? "Start talking" : "Go on"}
                </button>
                {id !== "done" && (
                  <button type="button" disabled={busy} onClick={() => act("skip")}>
                    Skip
                  </button>
                )}
              </>
            )}
          </div>
        </div>
      )}
    </li>
  );
}
