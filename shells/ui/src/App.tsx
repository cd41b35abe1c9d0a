// The complete page: the sidebar, and the page that is chosen there.
import { isOn } from "@aster-sidecar/client";
import { useCallback, useEffect, useRef, useState, type RefObject } from "react";
import { useAnnouncement } from "./announce.js";
import { Viewer } from "./Attachments.js";
import { IconButton, Note } from "./Buttons.js";
import { Conversation } from "./Conversation.js";
import { host, store, useEngine, usePicture } from "./engine.js";
import Inbox, { useWaiting } from "./Inbox.js";
import Archive from "./Archive.js";
import Agents from "./Agents.js";
import Settings from "./Settings.js";
import Welcome from "./Welcome.js";
import Palette from "./Palette.js";
import Shortcuts from "./Shortcuts.js";
import { signIn } from "./handoff.js";
import { Icon } from "./Icon.js";
import { keep, kept } from "./keep.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";
import { said } from "./problems.js";
import { go, newHref, parse, replace, useRoute, type Route } from "./route.js";
import { Sidebar } from "./Sidebar.js";
import { Toasts } from "./Toasts.js";

export function App() {
  const route = useRoute();
  const ready = usePicture((state) => state.ready);
  const refused = usePicture((state) => state.connection.error?.code === "token_refused" && !state.current);
  const [drawer, setDrawer] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const { dialog, open, close } = useDialog();
  const waiting = useWaiting();
  const [known, setKnown] = useState(route);
  if (known !== route) {
    // The person went to another page, so the drawer closes.
    setKnown(route);
    setDrawer(false);
  }

  useEffect(() => {
    document.title = waiting > 0 ? texts.app.windowTitle(waiting) : texts.app.name;
  }, [waiting]);

  useShortcuts(open, search);
  useFirstRun(ready);

  if (refused) return <SignIn />;
  return (
    <div className={`app ${drawer ? "drawer-open" : ""}`}>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        {texts.app.skip}
      </a>
      <aside
        className="side"
        aria-label={texts.app.side}
        onKeyDown={(event) => {
          if (event.key === "Escape" && drawer) setDrawer(false);
        }}
      >
        <Sidebar
          route={route}
          search={search}
          waiting={waiting}
          onClose={() => {
            setDrawer(false);
          }}
        />
      </aside>
      <div
        className="scrim"
        onClick={() => {
          setDrawer(false);
        }}
      />
      <main id="main" tabIndex={-1} className="main">
        <div className="bar narrow-only">
          <IconButton
            icon="menu"
            label={texts.app.openMenu}
            onClick={() => {
              setDrawer(true);
            }}
          />
          <span className="brand">{texts.app.name}</span>
          {waiting > 0 && (
            <a className="bar-attention" href="#/inbox" aria-label={texts.app.inboxWaiting(waiting)}>
              <Icon name="inbox" />
              {waiting}
            </a>
          )}
        </div>
        <Banner />
        <Toasts />
        {ready ? <Page route={route} /> : <Starting />}
      </main>
      {dialog?.name === "palette" && (
        <Palette
          key={dialog.opening}
          session_id={route.page === "chat" ? route.session_id : null}
          onClose={() => close(dialog)}
          onShortcuts={() => open("shortcuts")}
        />
      )}
      {dialog?.name === "shortcuts" && <Shortcuts key={dialog.opening} onClose={() => close(dialog)} />}
      <Viewer />
      <Announcer />
    </div>
  );
}

function Page({ route }: { route: Route }) {
  switch (route.page) {
    case "chat":
      return <Conversation session_id={route.session_id} agent_id={route.agent_id} find={route.find} />;
    case "inbox":
      return <Inbox />;
    case "archive":
      return <Archive />;
    case "agents":
      return <Agents />;
    case "welcome":
      return <Welcome />;
    case "settings":
      return <Settings section={route.section} item={route.item} />;
  }
}

type DialogName = "palette" | "shortcuts";

interface Opened {
  name: DialogName;
  /** The number of this opening: each opening is a separate dialog. */
  opening: number;
}

/**
 * The dialog that is open. A browser first hides a closed dialog and sends its event in a later task. A key may open
 * the dialog again in between, so the late event closes only the opening that it belongs to.
 */
function useDialog() {
  const [dialog, setDialog] = useState<Opened | null>(null);
  const openings = useRef(0);
  const open = useCallback((name: DialogName) => {
    openings.current += 1;
    const next = { name, opening: openings.current };
    setDialog((now) => (now?.name === name && document.querySelector("dialog[open]") !== null ? now : next));
  }, []);
  const close = useCallback((closed: Opened) => {
    setDialog((now) => (now === closed ? null : now));
  }, []);
  return { dialog, open, close };
}

/** The keys that work everywhere. Plain letters work only while the person is not typing. */
function useShortcuts(open: (dialog: DialogName) => void, search: RefObject<HTMLInputElement | null>): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const { target, key, ctrlKey, metaKey, altKey, code } = event;
      if ((ctrlKey || metaKey) && !altKey && key.toLowerCase() === "k") {
        event.preventDefault();
        open("palette");
        return;
      }
      if (document.querySelector("dialog[open]") !== null) return;
      if (altKey && !ctrlKey && !metaKey) {
        const act = ALT[code];
        if (act) {
          event.preventDefault();
          act();
        }
        return;
      }
      if (ctrlKey || metaKey || isWriting(target)) return;
      if (key === "?") {
        event.preventDefault();
        open("shortcuts");
      } else if (key === "/") {
        event.preventDefault();
        search.current?.focus();
      }
    };
    window.addEventListener("keydown", pressed);
    return () => {
      window.removeEventListener("keydown", pressed);
    };
  }, [open, search]);
}

/** Whether this is a field that takes letters. A field of a closed dialog keeps the focus until the next frame. */
function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement) || !target.matches("input, textarea, select")) return false;
  return target.closest("dialog:not([open])") === null;
}

const ALT: Partial<Record<string, () => void>> = {
  KeyN: () => go(newHref()),
  KeyI: () => go("#/inbox"),
  KeyQ: () => {
    const question = document.querySelector<HTMLElement>(".approval");
    if (question) question.focus();
    else if (store.getState().approvals.length + store.getState().questions.length > 0) go("#/inbox");
  },
  KeyM: () => document.querySelector<HTMLElement>(".composer textarea")?.focus(),
};

/** A person who is new starts with the first-run steps. After that they no longer open automatically. */
function useFirstRun(ready: boolean): void {
  useEffect(() => {
    if (!ready || kept("welcomed") !== null || store.getState().order.length > 0) return;
    const route = parse(window.location.hash);
    if (route.page !== "chat" || route.session_id !== null) return;
    if (!isOn(store.getState(), "companion_shell")) return;
    keep("welcomed", "yes");
    if (store.getState().onboarding?.current === "welcome") replace("#/welcome");
  }, [ready]);
}

/** Shows that the page may be out of date. */
function Banner() {
  const link = usePicture((state) => state.connection);
  const ready = usePicture((state) => state.ready);
  const problem = usePicture((state) => state.problem);
  const [late, setLate] = useState(false);
  const lost = link.state !== "connected";
  useEffect(() => {
    if (!lost) return;
    // A stream that reconnects at once needs no notice.
    const timer = setTimeout(() => {
      setLate(true);
    }, 700);
    return () => {
      clearTimeout(timer);
      setLate(false);
    };
  }, [lost]);
  const engine = useEngine();
  if (!ready) return null;
  if (lost && host && (engine === "crashed" || engine === "stopped")) return <Down engine={engine} />;
  if (lost && late) {
    return (
      <div className={`banner banner-${link.state}`} role="status">
        <span>
          {link.state === "offline" ? (
            <>
              {texts.shared.unreachable} <Meanwhile />
            </>
          ) : (
            texts.app.reconnecting
          )}
        </span>
        <button
          type="button"
          className="small-button"
          onClick={() => {
            store.retry();
          }}
        >
          {texts.shared.tryAgain}
        </button>
      </div>
    );
  }
  if (!lost && problem !== null) {
    return (
      <div className="banner banner-reconnecting" role="status">
        <span>{texts.app.notLoaded(visible(problem.message))}</span>
        <button
          type="button"
          className="small-button"
          onClick={() => {
            store.refresh();
          }}
        >
          {texts.shared.tryAgain}
        </button>
      </div>
    );
  }
  return null;
}

/** What happens to messages that are written while the daemon is away. */
function Meanwhile() {
  return usePicture((state) => isOn(state, "offline_drafts")) ? texts.app.drafts : texts.app.noDrafts;
}

/** Shows the shell's report that the daemon's process has ended and does not restart automatically. */
function Down({ engine }: { engine: "crashed" | "stopped" }) {
  return (
    <div className="banner banner-offline" role="status">
      <span>
        {engine === "crashed" ? texts.app.crashed : texts.app.stopped} <Meanwhile />
      </span>
      <button type="button" className="small-button" onClick={() => void host?.restartEngine()}>
        {texts.shared.start}
      </button>
      <button type="button" className="small-button" onClick={() => void host?.openLogs()}>
        {texts.shared.openLogs}
      </button>
    </div>
  );
}

function Starting() {
  const link = usePicture((state) => state.connection);
  const problem = usePicture((state) => state.problem);
  const error = link.error ?? problem;
  const engine = useEngine();
  if (host && (engine === "crashed" || engine === "stopped")) return <Down engine={engine} />;
  return (
    <div className="starting" role="status">
      {link.state === "offline" || problem ? (
        <Note
          kind="error"
          actions={
            <button
              type="button"
              onClick={() => {
                store.retry();
                store.refresh();
              }}
            >
              {texts.shared.tryAgain}
            </button>
          }
        >
          {texts.app.unreachable}
          {error && said(error).hint !== null && <span className="hint">{visible(said(error).hint ?? "")}</span>}
        </Note>
      ) : (
        <p className="empty">{texts.app.connecting}</p>
      )}
    </div>
  );
}

/** For a page that was opened by hand while the daemon requires a token. */
function SignIn() {
  const [token, setToken] = useState("");
  return (
    <main className="sign-in">
      <h1>{texts.signIn.signIn}</h1>
      <p>{texts.signIn.lead}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void signIn(token.trim()).then(() => {
            window.location.reload();
          });
        }}
      >
        <label htmlFor="token">{texts.signIn.token}</label>
        <input
          id="token"
          type="password"
          autoComplete="off"
          value={token}
          onChange={(event) => {
            setToken(event.target.value);
          }}
        />
        <button type="submit" className="primary" disabled={token.trim() === ""}>
          {texts.signIn.signIn}
        </button>
      </form>
      <p className="quiet">{texts.signIn.kept}</p>
      <Toasts />
    </main>
  );
}

function Announcer() {
  return (
    <div className="out-of-sight" aria-live="polite" aria-atomic="true" data-announcer>
      {useAnnouncement()}
    </div>
  );
}
