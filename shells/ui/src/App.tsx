// The whole page: the side, and what is chosen there.
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { useAnnouncement } from "./announce.js";
import { IconButton, Note } from "./Buttons.js";
import { Conversation } from "./Conversation.js";
import { keepBearer, store, usePicture } from "./engine.js";
import { Icon } from "./Icon.js";
import { visible } from "./Plain.js";
import { useRoute, type Route } from "./route.js";
import { Sidebar } from "./Sidebar.js";
import { Toasts } from "./Toasts.js";

const Inbox = lazy(() => import("./Inbox.js"));
const Archive = lazy(() => import("./Archive.js"));

export function App() {
  const route = useRoute();
  const ready = usePicture((state) => state.ready);
  const refused = usePicture((state) => state.connection.error?.code === "token_refused" && !state.current);
  const [drawer, setDrawer] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const approvals = usePicture((state) => state.approvals.length);
  const [known, setKnown] = useState(route);
  if (known !== route) {
    // The person has gone somewhere: the drawer has done its work.
    setKnown(route);
    setDrawer(false);
  }

  useEffect(() => {
    document.title = approvals > 0 ? `(${approvals}) Aster` : "Aster";
  }, [approvals]);

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
        Skip to the content
      </a>
      <aside
        className="side"
        aria-label="Side"
        onKeyDown={(event) => {
          if (event.key === "Escape" && drawer) setDrawer(false);
        }}
      >
        <Sidebar
          route={route}
          search={search}
          unread={0}
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
            label="Open the menu"
            onClick={() => {
              setDrawer(true);
            }}
          />
          <span className="brand">Aster</span>
          {approvals > 0 && (
            <a className="bar-attention" href="#/inbox">
              <Icon name="inbox" />
              {approvals}
            </a>
          )}
        </div>
        <Banner />
        {ready ? (
          <Suspense
            fallback={
              <p className="empty" role="status">
                Loading…
              </p>
            }
          >
            <Page route={route} />
          </Suspense>
        ) : (
          <Starting />
        )}
      </main>
      <Toasts />
      <Announcer />
    </div>
  );
}

function Page({ route }: { route: Route }) {
  switch (route.page) {
    case "chat":
      return <Conversation session_id={route.session_id} agent_id={route.agent_id} />;
    case "inbox":
      return <Inbox />;
    case "archive":
      return <Archive />;
    default:
      return <p className="empty">This page is still to come.</p>;
  }
}

/** Says when what is shown may not be how things are. */
function Banner() {
  const link = usePicture((state) => state.connection);
  const ready = usePicture((state) => state.ready);
  const problem = usePicture((state) => state.problem);
  const [late, setLate] = useState(false);
  const lost = link.state !== "connected";
  useEffect(() => {
    if (!lost) return;
    // A stream that is back at once is no news.
    const timer = setTimeout(() => {
      setLate(true);
    }, 700);
    return () => {
      clearTimeout(timer);
      setLate(false);
    };
  }, [lost]);
  if (!ready) return null;
  if (lost && late) {
    return (
      <div className={`banner banner-${link.state}`} role="status">
        <span>
          {link.state === "offline"
            ? "The daemon can’t be reached. You see how things were; what you write is kept as a draft."
            : "The connection is lost. Trying again…"}
        </span>
        <button
          type="button"
          className="small-button"
          onClick={() => {
            store.retry();
          }}
        >
          Try now
        </button>
      </div>
    );
  }
  if (!lost && problem !== null) {
    return (
      <div className="banner banner-reconnecting" role="status">
        <span>Not everything could be read: {visible(problem.message)}</span>
        <button
          type="button"
          className="small-button"
          onClick={() => {
            store.refresh();
          }}
        >
          Read again
        </button>
      </div>
    );
  }
  return null;
}

function Starting() {
  const link = usePicture((state) => state.connection);
  const problem = usePicture((state) => state.problem);
  const error = link.error ?? problem;
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
              Try now
            </button>
          }
        >
          The daemon can’t be reached. It is tried again and again.
          {error && <span className="hint">{visible(error.hint ?? error.message)}</span>}
        </Note>
      ) : (
        <p className="empty">Connecting…</p>
      )}
    </div>
  );
}

/** For a page that was opened by hand while the daemon wants a token. */
function SignIn() {
  const [token, setToken] = useState("");
  return (
    <main className="sign-in">
      <h1>Who is there?</h1>
      <p>This daemon answers only those who have its token. Open this page from the app, or paste the token.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          keepBearer(token.trim());
          window.location.reload();
        }}
      >
        <label htmlFor="token">Token</label>
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
          Go on
        </button>
      </form>
      <p className="quiet">It is kept for this tab only.</p>
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
