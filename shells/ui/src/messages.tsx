// Every text of the page that people read or hear, grouped by the place where it is shown; a test finds texts
// elsewhere. Texts that several places use for the same reason are in `shared`. A sentence with values is a function
// that returns the complete sentence.
//
// Not here: `index.html` has its title, the texts before the script has loaded (“Aster”, “Connecting…”, the name of the
// sidebar) and the notice without JavaScript; no public file has a text. Numbers, dates, times and units are made in
// words.ts. Messages and hints of the daemon and of the client are shown unchanged.
import type { Message } from "@aster-sidecar/client";
import type { ReactNode } from "react";
import { count, percent } from "./words.js";

/** Texts for names that the daemon gives; a name that is not known here has no text. */
type Named = Readonly<Record<string, string>>;

const plural = (value: number, one: string, many: string): string => (value === 1 ? one : many);

export const texts = {
  shared: {
    arguments: "Arguments",
    cancel: "Cancel",
    choose: "Choose…",
    close: "Close",
    continue: "Continue",
    conversations: "Conversations",
    delete: "Delete",
    edit: "Edit",
    findHere: "Find in this conversation",
    /** The reason why a text is not valid JSON. */
    invalidJson: (why: string) => `The arguments are not valid JSON: ${why}`,
    keep: "Keep",
    model: "Model",
    newConversation: "New conversation",
    noMatches: "No matches.",
    none: "none",
    notUndone: (why: string) => `Not undone: ${why}`,
    openLogs: "Open logs",
    output: "Output",
    restart: "Restart",
    restore: "Restore",
    save: "Save",
    searching: "Searching…",
    searchConversations: "Search conversations",
    sendAgain: "Send again",
    showMore: "Show more",
    start: "Start",
    startConversation: "Start a conversation",
    stop: "Stop",
    tokens: (tokens: number) => plural(tokens, `${count(tokens)} token`, `${count(tokens)} tokens`),
    tool: "Tool",
    tryAgain: "Try again",
    undo: "Undo",
    unreachable: "Can’t reach Aster.",
    /** An error, and what to do about it. */
    withHint: (problem: string, hint: string) => `${problem} ${hint}`,
    you: "You",
    remove: "Remove",
  },

  /** The pages, for the links to them and their headings. */
  pages: {
    inbox: "Inbox",
    agents: "Agents",
    archive: "Archive",
    settings: "Settings",
  },

  /** Keys with a word on them. */
  keys: {
    alt: "Alt",
    ctrl: "Ctrl",
    delete: "Delete",
    enter: "Enter",
    esc: "Esc",
    shift: "Shift",
  },

  app: {
    name: "Aster",
    windowTitle: (waiting: number) => `(${waiting}) Aster`,
    skip: "Skip to content",
    side: "Sidebar",
    openMenu: "Open the menu",
    inboxWaiting: (waiting: number) => `Inbox: ${waiting} waiting`,
    /** What happens to messages while the daemon is away; shown after the sentence that gives the reason. */
    drafts: "Messages are saved as drafts.",
    noDrafts: "Messages can’t be sent now.",
    reconnecting: "Connection lost. Reconnecting…",
    notLoaded: (why: ReactNode) => <>Some things could not be loaded: {why}</>,
    crashed: "Aster’s engine crashed several times and will not restart by itself.",
    stopped: "Aster’s engine is stopped.",
    unreachable: "Can’t reach Aster. Trying again…",
    connecting: "Connecting…",
    /** Who answered a question, as other windows show it. */
    asApp: "the app window",
    asBrowser: "a browser window",
  },

  signIn: {
    signIn: "Sign in",
    lead: "Open this page from the app. Or paste the token that the app started Aster with.",
    token: "Token",
    kept: "The token is kept in this tab only.",
    linkUsed: "This link was already used or has expired. Open the page from the app again.",
    failed: (why: string) => `Sign-in failed: ${why}`,
    failedWithHint: (why: string, hint: string) => `Sign-in failed: ${why} (${hint})`,
  },

  buttons: {
    copy: "Copy",
    copied: "Copied",
    copyFailed: "Copying failed",
    readAloud: "Read aloud",
    stopReading: "Stop reading",
  },

  toasts: {
    label: "Notices",
    dismiss: "Dismiss",
  },

  notifications: {
    offer: "A question or an answer came while you were away. Show notifications next time?",
    turnOn: "Turn on",
  },

  // -- conversations ---------------------------------------------------------------------------------------------------

  composer: {
    write: "Write a message",
    writeDraft: "Write a draft",
    writeAnswer: "Write a message, or the answer to the question",
    answers: "Your message answers the question, if it fits.",
    message: "Message",
    whileBusy: "When you send while the agent is working",
    modes: {
      queue: { label: "Queue", words: "Sends your message after this answer." },
      steer: { label: "Steer", words: "The agent reads your message at its next step." },
      interrupt: { label: "Interrupt", words: "Stops this answer and sends your message." },
    },
    editing: "Editing an unsent message.",
    editingWithDraft: "Editing an unsent message. Your draft comes back when you send or cancel.",
    revising: "Editing an earlier message. When you send it, it replaces this message and everything after it.",
    revisingWithDraft:
      "Editing an earlier message. When you send it, it replaces this message and everything after it. Your draft comes back when you send or cancel.",
    stop: "Stop (Esc)",
    send: "Send",
    sendWithKey: "Send (Enter)",
    help: (
      <>
        <kbd>Enter</kbd> sends, <kbd>Shift</kbd>+<kbd>Enter</kbd> starts a new line
      </>
    ),
    helpWhileBusy: (
      <>
        <kbd>Enter</kbd> sends, <kbd>Shift</kbd>+<kbd>Enter</kbd> starts a new line, <kbd>Esc</kbd> stops
      </>
    ),
  },

  /** Resources and prompts of MCP servers. */
  offers: {
    helpResources: (
      <>
        {", "}
        <kbd>@</kbd> attaches a resource
      </>
    ),
    helpPrompts: (
      <>
        {", "}
        <kbd>/</kbd> inserts a prompt
      </>
    ),
    fill: (name: string) => `Use “${name}”`,
    from: (server: string) => `A prompt of the MCP server ${server}`,
    optional: "(optional)",
    use: "Insert",
    filling: (name: string) => `Getting the prompt ${name}.`,
  },

  attachments: {
    attach: "Attach files",
    drop: "Drop files here to attach them.",
    label: "Attached files",
    show: (name: string) => `Show ${name}`,
    save: (name: string) => `Save ${name}`,
    remove: (name: string) => `Remove ${name}`,
    progress: (name: string) => `Upload of ${name}`,
    wait: "Wait until the files are uploaded.",
    blocked: "Remove the files that could not be attached, or try again.",
    tooLarge: (name: string, size: string, most: number) =>
      `“${name}” is too large (${size}). A file can have at most ${count(most)} MiB.`,
    tooMany: (most: number) => `A message can have at most ${count(most)} files.`,
    folder: "A folder can’t be attached.",
    gone: "No longer available. Attach it again.",
    notShown: "This picture can’t be shown.",
    saved: (path: string) => `Saved as ${path}.`,
    notSaved: (why: string) => `The file was not saved: ${why}`,
    /** Announcements for a screen reader. */
    uploadingFile: (name: string) => `Uploading ${name}.`,
    attached: (name: string) => `${name} is attached.`,
    removed: (name: string) => `${name} was removed.`,
  },

  conversation: {
    withAgent: (agent: ReactNode) => <>With {agent}</>,
    demo: (link: (words: string) => ReactNode) => (
      <>
        This is the demo model. It needs no key and understands a few words. For real answers, {link("choose a model")}.
      </>
    ),
    stopped: "Stopped.",
    queuedCanceled: (messages: number) =>
      plural(
        messages,
        `${count(messages)} queued message was canceled.`,
        `${count(messages)} queued messages were canceled.`,
      ),
    unread: "What the agent has not read yet goes to it with your next message.",
    notStopped: (why: string) => `Not stopped: ${why}`,
    messages: "Messages",
    loadingOlder: "Loading older messages…",
    noMessages: "No messages yet.",
    toEnd: "Go to the latest message",
    loading: "Loading messages…",
    menu: "Conversation menu",
    archived: "archived",
    find: "Find in conversation",
    deleted: "This conversation was deleted.",
    restorable: (until: string) => `It can be restored until ${until}.`,
    /** Announcements for a screen reader. */
    questions: (questions: number) =>
      plural(questions, `${count(questions)} question to answer.`, `${count(questions)} questions to answer.`),
    answering: "The agent is answering.",
    answered: (answer: string) => `Answer: ${answer}`,
    failed: (answer: string) => `The answer failed. ${answer}`,
  },

  /** How much of the model's context window a conversation fills. */
  context: {
    label: "Context window",
    /** `rest`: what only wide windows show. */
    filled: (share: number, rest: (words: string) => ReactNode) => (
      <>
        {percent(share)}
        {rest(" of the context window")}
      </>
    ),
    used: (used: number, all: number) =>
      `${count(used)} of ${count(all)} tokens used; when it is nearly full, the conversation is summarised.`,
    nearlyFull: (used: number, all: number) =>
      `Nearly full: ${count(used)} of ${count(all)} tokens used; the conversation is summarised soon.`,
    windowUnknown: (used: number) =>
      plural(
        used,
        `${count(used)} token of the context window used. Its size is not known.`,
        `${count(used)} tokens of the context window used. Its size is not known.`,
      ),
  },

  /** What a conversation works with. */
  panel: {
    title: "This conversation",
    open: "Folder, model and more of this conversation",
    change: "Change…",
    agent: "Agent",
    folder: "Folder",
    folderWords: "The path of the folder in which tools work. Empty: the work folder in the settings.",
    modelWords: "As provider:name. It answers from your next message on.",
    effort: "How much it thinks",
    efforts: { none: "Not at all", minimal: "Minimal", low: "Low", medium: "Medium", high: "High" },
    withEffort: (effort: string) => `thinks: ${effort}`,
    inherit: "As in the settings",
    busy: "Agent and folder can change once the answer is finished.",
    serversWords: "This conversation does without the tools of those that are not ticked.",
    without: (servers: readonly string[]) => `without ${servers.join(", ")}`,
  },

  /** Choosing a folder in a browser. */
  folders: {
    browse: "Browse…",
    recent: "Recent",
    up: "Go to the parent folder",
    use: "Use this folder",
    list: "Folders",
    empty: "No folders in here.",
    project: "project",
    truncated: "More folders are not listed.",
  },

  /** A project that can change how Aster works in it. */
  trust: {
    untrusted: "This folder’s project has its own settings or agents. They count only if you trust it.",
    trusted: "You trust this folder’s project. Its settings and agents count here.",
    changed: (names: string) => `Changed since you trusted it: ${names}.`,
    files: (files: number) => plural(files, "Show its file", `Show its ${count(files)} files`),
    add: "Trust it",
    remove: "Stop trusting it",
  },

  /** Searching in a conversation. */
  find: {
    /** The position of the current message among the matching ones. */
    place: (place: number, messages: number, more: boolean) =>
      `${count(place)} of ${count(messages)}${more ? "+" : ""}`,
    previous: "Previous match",
    next: "Next match",
  },

  /** A message that the daemon does not have yet. */
  outgoing: {
    label: "You, being sent",
    states: {
      sending: "Sending…",
      waiting: "Draft, not sent",
      refused: "Not sent",
    },
    sendNow: "Send now",
    discard: "Discard",
    written: (time: string) => `written ${time}`,
    noRoom: "This device has no room for drafts. Unsent messages are lost when you close the page.",
    evicted: (most: number) => `Only ${most} drafts are kept. The oldest one was removed.`,
  },

  /** Changing what was said: edit, regenerate, rewind and fork. */
  rewind: {
    regenerate: "Regenerate",
    here: "Rewind to here",
    fork: "Fork",
    forkHere: "Fork from here",
    menu: "Message menu",
    /** Why these are not possible now. */
    busy: "Wait until the answer is finished, or stop it.",
    noMessage: "This message is no longer in the conversation.",
    taken: (messages: number) =>
      plural(messages, `${count(messages)} message was taken out.`, `${count(messages)} messages were taken out.`),
    takenWithFiles: "Changes to files were undone.",
    back: (messages: number) =>
      plural(messages, `${count(messages)} message is back.`, `${count(messages)} messages are back.`),
    notRewound: (why: string) => `Not taken out: ${why}`,
    notSent: (why: string) => `Not sent: ${why}`,
    notRegenerated: (why: string) => `Not regenerated: ${why}`,
    forked: "This is a copy. The other conversation stays as it is.",
    notForked: (why: string) => `Not forked: ${why}`,
    forkedFrom: (title: ReactNode) => <>Forked from {title}</>,
    forkedFromDeleted: "Forked from a conversation that was deleted",
  },

  /** What was changed in files. */
  changes: {
    title: "Changes to files",
    count: (files: number) => plural(files, `${count(files)} file changed`, `${count(files)} files changed`),
    loading: "Loading changes…",
    none: "No changes.",
    /** The heading of a turn whose message is not loaded. */
    earlier: "An earlier message",
    rewound: "This message was taken out of the conversation.",
    kinds: { created: "new", modified: "changed", deleted: "deleted", moved: "moved" },
    movedFrom: (path: string) => `Its path was ${path}.`,
    lines: (added: number, removed: number) => (
      <>
        <span className="out-of-sight">
          {plural(added, `${count(added)} line added`, `${count(added)} lines added`)},{" "}
          {plural(removed, `${count(removed)} line removed`, `${count(removed)} lines removed`)}
        </span>
        <span aria-hidden="true">
          +{added} −{removed}
        </span>
      </>
    ),
    whileCommand: "Changed while a command ran, perhaps not by it.",
    include: (name: string) => `Also undo ${name}`,
    undone: "Undone.",
    edited: "Changed again since.",
    noDiff: "The lines can’t be shown.",
    undoFile: (name: string) => `Undo the changes to ${name}`,
    redo: "Redo",
    redoFile: (name: string) => `Redo the changes to ${name}`,
    undoTurn: "Undo these changes",
    undid: (files: number) => plural(files, `${count(files)} file was written.`, `${count(files)} files were written.`),
    nothing: "Nothing was written.",
    undoUndo: "Undo this",
    conflict: "Some files can’t be undone as they are",
    conflictLead: "Nothing was written. What is there now is kept, so that it can be restored.",
    anyway: (name: string) => `Undo ${name} anyway`,
    left: "It stays as it is.",
    goOn: "Undo the chosen files",
    goOnAll: "Undo and rewind",
  },

  rewindDialog: {
    lead: (files: number) =>
      plural(
        files,
        `What is taken out changed ${count(files)} file.`,
        `What is taken out changed ${count(files)} files.`,
      ),
    keep: "Keep the files as they are",
    restore: "Also undo the changes to files",
    commands: "Also what changed while commands ran",
    rewind: "Rewind",
  },

  message: {
    queued: "Queued",
    notCanceled: (why: string) => `Not canceled: ${why}`,
    pending: "The agent reads this at its next step.",
    unread: "Not read yet. The agent reads this with your next message.",
    canceled: "Canceled",
    copy: "Copy message",
  },

  answer: {
    label: "Assistant",
    ends: {
      cancelled: "Stopped by you.",
      interrupted: "Interrupted because Aster stopped. The text so far is kept.",
    } as Partial<Record<Message["status"], string>>,
    retrying: (why: ReactNode, wait: string, attempt: number, attempts: number) => (
      <>
        The provider failed ({why}). Trying again in {wait}: attempt {attempt} of {attempts}.
      </>
    ),
    denied: "The agent stopped because a tool call was denied.",
    usage: (input: number, output: number, requests: number) => {
      const took = plural(input, `${count(input)} token in`, `${count(input)} tokens in`);
      const gave = plural(output, `${count(output)} token out`, `${count(output)} tokens out`);
      const asked = plural(requests, `${count(requests)} request`, `${count(requests)} requests`);
      return `${took}, ${gave}, ${asked}`;
    },
    cost: (dollars: string) => `$${dollars}`,
    copy: "Copy answer",
    starting: "Starting",
    thinking: "Thinking",
    writing: "Writing",
    thoughtsGrowing: "Thinking…",
    thoughts: "Thoughts",
    unknownPart: "This page can’t show this part. Update the app to see it.",
    chooseModel: "Choose a model",
    limits: "Change limits",
  },

  markdown: {
    table: "Table",
    image: (description: ReactNode) => <>Image: {description}</>,
    imageUndescribed: "Image without a description",
    /** The label of code without a known language. */
    code: "text",
    copyCode: "Copy code",
  },

  plain: {
    hidden: "A character that can’t be seen",
    codePoint: (hex: string) => `U+${hex}`,
    shownOf: (shown: number, all: number) => `${count(shown)} of ${count(all)} characters.`,
  },

  // -- tools and questions ---------------------------------------------------------------------------------------------

  /** Errors of the connection, in the page's own words. */
  problems: {
    unreachable: "Aster can’t be reached.",
    stopping: "Aster is stopping.",
    session_not_found: "This conversation can’t be found.",
  } as Named,

  risk: {
    low: "low risk",
    medium: "medium risk",
    high: "high risk",
  },

  toolState: {
    pending: "waiting for you",
    running: "running",
    done: "done",
    failed: "failed",
    denied: "denied",
    cancelled: "canceled",
    unknown: "outcome unknown",
  },

  decision: {
    allow: "allowed",
    deny: "denied",
    allow_always: "always allowed",
    deny_always: "always denied",
    expired: "expired",
    cancelled: "canceled",
    answered: "answered",
    declined: "declined",
  } as Named,

  tool: {
    progress: (tool: string) => `Progress of ${tool}`,
    answered: (decision: string, by: string) => `${decision} by ${by}`,
    unknown:
      "Aster, or the program that ran this, stopped meanwhile. It is not known how far it got, and it will not run again by itself. Check before you ask for it again.",
    runs: "What runs",
    error: "Error",
    outputCut: "Earlier output is not shown.",
    errorOutput: "Error output",
    result: "Result",
    resultCut: "The result was too long. Only a part of it was kept.",
  },

  diff: {
    line: (line: number) => `line ${count(line)}`,
    label: "Changed lines",
    removed: "removed: ",
    added: "added: ",
    cut: "Only the beginning is shown.",
  },

  approval: {
    notObject: "The arguments have to be a JSON object: { … }",
    lookAgain: "Check what would run now, then allow it.",
    answered: (tool: string, decision: string) => `${tool}: ${decision}`,
    runs: "What will run",
    argumentsOf: (tool: ReactNode) => (
      <>
        Arguments of <code>{tool}</code>
      </>
    ),
    editLabel: "Run it with these arguments instead (JSON)",
    noteLabel: "Note to the agent (sent when you deny)",
    allow: "Allow once",
    allowEdited: "Allow edited",
    allowTitle: "This call runs now.",
    deny: "Deny",
    denyTitle: "This call does not run. The agent is told, and goes on.",
    alwaysAllow: "Always allow…",
    alwaysAllowTitle: "This call and others like it run without asking.",
    alwaysDeny: "Always deny…",
    alwaysDenyTitle: "This call and others like it never run.",
    note: "Note",
    noteTitle: "Sent to the agent when you deny.",
    editTitle: "Change what runs, then allow it.",
    /** The labels of the second button, which creates the rule. */
    confirm: {
      allow_always: "Always allow",
      deny_always: "Always deny",
    },
    exactly: "Exactly this call.",
    /** The name of the choice of what the rule covers. */
    covering: "What the rule covers",
    howLong: "For how long",
    lasting: {
      always: "Always",
      session: "In this conversation only",
      day: "For a day",
      month: "For 30 days",
      date: "Until a date",
    },
    lastDay: "The last day of the rule",
    wrongDate: "Choose a date from today on, at most a year from now.",
    notShown: "What the rule would cover was not shown for these arguments.",
    ruleHint: "You can delete this rule under Settings, Permissions.",
    noRule: "This call can’t be always allowed.",
    covers: (calls: ReactNode) => <>“Always allow” would cover: {calls}.</>,
    coversChoice: "“Always allow” lets you choose what it covers.",
    expires: (time: string) => `Answer by ${time}, or the call is denied.`,
  },

  /** A question of an agent or of an MCP server to the person. */
  question: {
    title: "A question for you",
    titleOf: (server: ReactNode) => <>A question from the MCP server {server}</>,
    visitTitle: (server: ReactNode) => <>The MCP server {server} asks you to open a page</>,
    noSecrets: "The server gets what you enter. Don’t enter passwords or keys.",
    required: "(required)",
    other: "Another answer",
    none: "No answer",
    yes: "Yes",
    no: "No",
    answer: "Answer",
    decline: "Decline",
    declineTitle: "You don’t answer. The agent is told, and goes on.",
    noteTitle: "Sent to the agent with your answer, or when you decline.",
    noteLabel: "Note to the agent",
    expires: (time: string) => `Answer by ${time}, or the agent goes on without an answer.`,
    /** What is wrong with one answer. */
    missing: "An answer is needed.",
    notANumber: "Enter a number, such as 3 or 2.5.",
    incomplete: "Some answers are missing or can’t be read.",
    refused: "Some answers don’t fit.",
    /** What an answer has to be. */
    number: (whole: boolean, least: number | null, most: number | null) => {
      if (least !== null && most !== null)
        return whole ? `A whole number from ${least} to ${most}.` : `A number from ${least} to ${most}.`;
      if (least !== null) return whole ? `A whole number, at least ${least}.` : `A number, at least ${least}.`;
      if (most !== null) return whole ? `A whole number, at most ${most}.` : `A number, at most ${most}.`;
      return whole ? "A whole number." : null;
    },
    choices: (least: number | null, most: number | null) => {
      if (least !== null && most !== null) return `Choose from ${count(least)} to ${count(most)}.`;
      if (least !== null) return `Choose at least ${count(least)}.`;
      return most === null ? null : `Choose at most ${count(most)}.`;
    },
    length: (least: number | null, most: number | null) => {
      if (least !== null && most !== null) return `From ${count(least)} to ${count(most)} characters.`;
      if (least !== null) return `At least ${count(least)} characters.`;
      return most === null ? null : `At most ${count(most)} characters.`;
    },
    email: "An email address.",
    address: "An address, such as https://example.com.",
    file: "The absolute path of a file.",
    folder: "The absolute path of a folder.",
    /** A page to visit. */
    open: "Open the page",
    visited: "I have done it",
    site: (site: ReactNode) => <>It opens in your browser, at {site}.</>,
    notOpened: "This address can’t be opened here.",
    /** Announcements for a screen reader. */
    sent: "Your answer was sent.",
    declined: "Declined.",
    /** How a question ended, in the history. */
    ends: {
      declined: "You declined to answer.",
      expired: "Nobody answered in time.",
      cancelled: "Canceled before it was answered.",
    },
    /** A question in the list of answers. */
    named: (words: ReactNode) => <>“{words}”</>,
    unnamed: "A question",
  },

  inbox: {
    noQuestions: "No questions.",
    questions: (questions: number) =>
      plural(
        questions,
        `${count(questions)} question for you, oldest first.`,
        `${count(questions)} questions for you, oldest first.`,
      ),
    conversation: "Conversation",
    asked: (time: string) => `asked ${time}`,
    answered: "Answered",
    call: "a call",
    answeredBy: (call: ReactNode, decision: string, by: string) => (
      <>
        {call} {decision} by {by}
      </>
    ),
    answeredByYou: (call: ReactNode, decision: string) => (
      <>
        {call} {decision} by you
      </>
    ),
    /** A question that ended without an answer. */
    ended: (call: ReactNode, how: string) => (
      <>
        {call} {how}
      </>
    ),
    where: (title: ReactNode) => <>in “{title}”</>,
    away: "While you were away",
    awayUnread: (unread: number) => `While you were away (${count(unread)} unread)`,
    markRead: "Mark all as read",
    nothingNew: "Nothing new.",
    unread: "(unread)",
  },

  // -- lists and pages -------------------------------------------------------------------------------------------------

  /** The actions for a conversation. */
  session: {
    title: "Title",
    rename: "Rename",
    archive: "Archive",
    unarchive: "Unarchive",
    pin: "Pin",
    unpin: "Unpin",
    notPinned: (why: string) => `Not pinned: ${why}`,
    notUnpinned: (why: string) => `Not unpinned: ${why}`,
    notRenamed: (why: string) => `Not renamed: ${why}`,
    archived: "Archived.",
    unarchived: "Unarchived.",
    notArchived: (why: string) => `Not archived: ${why}`,
    notUnarchived: (why: string) => `Not unarchived: ${why}`,
    deleted: "Deleted.",
    notDeleted: (why: string) => `Not deleted: ${why}`,
    notDeletedBusy: "Not deleted: an answer is being written, or a question is waiting for you.",
    stopAndDelete: "Stop and delete",
    notRestored: (why: string) => `Not restored: ${why}`,
  },

  sidebar: {
    closeMenu: "Close the menu",
    pages: "Pages",
    showOf: "Show conversations of",
    showIn: "Show conversations in",
    allFolders: "All folders",
    byFolder: "By folder",
    allAgents: "All agents",
    waiting: (things: number) => `${things} waiting`,
    empty: "No conversations yet.",
    pinned: "Pinned",
    ages: {
      today: "Today",
      yesterday: "Yesterday",
      week: "Last 7 days",
      month: "Last 31 days",
      older: "Older",
    },
    fetching: "Fetching…",
    nothingFound: "Nothing found",
    found: (found: number) => `Found ${found}`,
    foundMore: (found: number) => `Found ${found} or more`,
    states: {
      running: "an answer is being written",
      waiting_approval: "a question waits for you",
      queued: "a message waits",
      failed: "the last answer failed",
    } as Named,
    waitsForProgram: "a program works on a call",
    rowTitle: (title: string, time: string) => `${title} – ${time}`,
    menuOf: (title: string) => `Actions for ${title}`,
    link: {
      connected: "Connected",
      reconnecting: "Reconnecting",
      offline: "Offline",
    },
    model: "The model in use, unless an agent has its own",
  },

  archive: {
    lead: "Archived conversations. A new message moves one back to the list.",
    none: "Nothing is archived.",
    deleted: "Recently deleted",
    deletedLead: "A deleted conversation can be restored for 30 days.",
    noneDeleted: "No recently deleted conversations.",
    deletedAt: (time: string) => `deleted ${time}`,
    deletedUntil: (time: string, until: ReactNode) => (
      <>
        deleted {time}, kept until {until}
      </>
    ),
    sure: "This can’t be undone.",
    deleteNow: "Delete permanently",
    deleteNowLabel: (title: string) => `Delete permanently: ${title}`,
    keepLabel: (title: string) => `Keep: ${title}`,
    restoreLabel: (title: string) => `Restore: ${title}`,
    purge: "Delete permanently…",
    purgeLabel: (title: string) => `Delete permanently… ${title}`,
  },

  agents: {
    lead: "Each agent has its own instructions, tools and model. None can do more than your permissions allow.",
    sources: {
      builtin: "built in",
      code: "from the app",
      user: "your file",
      project: "from the project",
    } as Named,
    broken: "broken",
    where: (path: ReactNode, line: number) => (
      <>
        {path}, line {line}
      </>
    ),
    noModel: "no model chosen",
    tools: "Tools",
    file: "File",
  },

  palette: {
    label: "Commands",
    search: "Search commands and conversations",
    list: "Commands and conversations",
    page: "page",
    conversation: "conversation",
    newWith: (agent: string) => `New conversation with ${agent}`,
    models: "Settings: models and keys",
    permissions: "Settings: permissions",
    mcp: "Settings: MCP servers",
    config: "Settings: folders and limits",
    about: "Settings: about",
    light: "Appearance: light",
    dark: "Appearance: dark",
    system: "Appearance: match system",
    archive: "Archive this conversation",
    unarchive: "Unarchive this conversation",
    delete: "Delete this conversation",
    pin: "Pin this conversation",
    unpin: "Unpin this conversation",
  },

  shortcuts: {
    title: "Keyboard shortcuts",
    anywhere: "Anywhere",
    commands: "commands and conversations",
    search: "search conversations",
    find: "find in the conversation",
    list: "this list",
    newConversation: "new conversation",
    inbox: "inbox",
    question: "go to the waiting question",
    message: "go to the message field",
    writing: "While you write",
    send: "send",
    newLine: "new line",
    before: "previous message, when the field is empty",
    stop: "stop the answer",
    onQuestion: "When a question has the focus",
    allow: "allow once",
    deny: "deny",
    alwaysAllow: "always allow, after a confirmation",
    alwaysDeny: "always deny, after a confirmation",
    note: "write a note",
    edit: "edit the arguments",
    answer: "send the answers of a form",
    onConversation: "When a conversation in the list has the focus",
    rename: "rename",
    delete: "delete (you can undo it)",
  },

  welcome: {
    label: "Setup",
    title: "Set up Aster",
    off: "Setup is turned off in this app.",
    left: (steps: number) =>
      plural(
        steps,
        `${count(steps)} step left. You can start a conversation at any time.`,
        `${count(steps)} steps left. You can start a conversation at any time.`,
      ),
    complete: "Everything is set up.",
    names: {
      welcome: "Welcome",
      environment: "This computer",
      state_root: "Where your data is kept",
      engine: "Saving conversations",
      provider: "Choose a model",
      permissions: "When to ask you",
      handoff: "Use it in your browser",
      done: "Ready",
    } as Named,
    words: {
      welcome:
        "Aster runs on this computer. Your conversations are saved here. Messages go only to the model that you choose, which may be online.",
      environment: "What was found on this computer.",
      state_root: "Your conversations, rules and settings are kept on this computer.",
      engine: "Every message is saved as it is written.",
      provider: "Choose a model on this computer, or add a key for a provider. The demo model needs neither.",
      permissions: "Choose what can run without asking you. You can change this at any time in the settings.",
      handoff: "To use Aster in a browser, create a link under Settings, Other browsers. You can skip this.",
      done: "You are all set.",
    } as Named,
    skipped: "skipped",
    optional: "optional",
    hide: "Hide",
    show: "Show",
    status: { ok: "OK: ", warning: "Warning: ", blocked: "Problem: " },
    inBrowser: "You are already in a browser.",
    failed: (times: number) => plural(times, `This failed ${count(times)} time.`, `This failed ${count(times)} times.`),
    startOver: "Start this step over",
    continueWithDemo: "Continue with the demo model",
    skip: "Skip",
  },

  // -- settings --------------------------------------------------------------------------------------------------------

  settings: {
    /** The sections, for the links to them and their headings. */
    sections: {
      models: "Models and keys",
      permissions: "Permissions",
      config: "Folders and limits",
      appearance: "Appearance",
      mcp: "MCP servers",
      services: "Services",
      flags: "Features",
      browsers: "Other browsers",
      diagnostics: "Diagnostics",
      about: "About",
    },
    /** Where a value comes from. */
    sources: {
      api: "changed in settings",
      flag: "command line",
      environment: "environment variable",
      project: "the project’s file",
      file: "config.toml",
      default: "default",
    } as Named,

    models: {
      none: "No model is chosen. An agent can have its own.",
      chosen: (model: ReactNode, source: string) => (
        <>
          Messages go to {model} ({source}). An agent can have its own.
        </>
      ),
      looking: "Looking for models…",
      ready: "ready",
      notReady: "not ready",
      needsKey: "needs a key",
      loaded: "loaded",
      demo: "Answers from a script, without a key or a network. For trying things out.",
      here: "On this computer",
      online: "Online, with your key",
      toLookAround: "For a first look",
      nothingHere: "No model server was found. Start Ollama, LM Studio or llama.cpp, then look again.",
      lookAgain: "Look again",
      local: "Uses whichever of these models is loaded.",
      context: (tokens: number) =>
        plural(tokens, `${count(tokens)} token of context.`, `${count(tokens)} tokens of context.`),
      other: "Another model, as provider:name",
      otherExample: "openrouter:qwen/qwen3",
      use: "Use",
      cannotAnswer: (why: ReactNode) => <>This model can’t answer yet. {why}</>,
      cannotAnswerWithoutKey:
        "This model can’t answer without a key. Add one here, or choose the demo model to look around first.",
      test: "Test the model",
      testing: "Testing…",
      testHint: "Sends one short request.",
      answered: (model: string, time: string) => `${model} answered in ${time}.`,
      keys: "Keys",
      keysLead: "Keys are kept on this computer. A saved key is not shown again.",
      keyFor: (provider: ReactNode) => <>API key for {provider}</>,
      testKey: "Test the key before saving",
      saving: "Saving…",
      environmentFirst: "The key in the environment variable is used instead of this one.",
      noKey: "no key",
      fromVariable: (variable: ReactNode) => <>from {variable}</>,
      inKeychain: "in the keychain",
      inFile: "unprotected, in a file",
      replaceKey: "Replace",
      addKey: "Add a key",
    },

    /** When the agent asks. */
    modes: {
      title: "When to ask",
      now: (source: string) => `Source: ${source}.`,
      each: {
        always_ask: {
          name: "Always ask",
          words: "Every tool call waits for you, even one that a rule allows.",
          examples: "reading a file: asks · writing a file: asks · git diff: asks · npm test: asks",
        },
        smart_approve: {
          name: "Ask before changes",
          words:
            "Reading in the work folder runs at once, also by commands that only read. Everything else waits for you, unless a rule allows it.",
          examples: "reading a file: runs · writing a file: asks · git diff: runs · npm test: asks",
        },
        auto_approve: {
          name: "Never ask",
          words:
            "Everything runs, except what a rule denies. You are still asked about programs that Aster can’t stop or control, and about files that run without you looking at them, such as git hooks. Use it only while you watch, or where no harm can be done.",
          examples: "reading a file: runs · writing a file: runs · git diff: runs · npm test: runs",
        },
      },
    },

    /** Whether commands run in a sandbox. */
    sandbox: {
      title: "Sandbox for commands",
      each: {
        off: { name: "Off", words: "Commands can do anything that you can do on this computer." },
        auto: {
          name: "Where there is one",
          words: "Commands can change only the work folder, and have no network. Without a sandbox, they run as you.",
        },
        required: { name: "Required", words: "Commands that can’t run in a sandbox fail." },
      },
      levels: {
        full: (why: ReactNode) => <>There is a sandbox here: {why}</>,
        partial: (why: ReactNode) => <>The sandbox does not hold in all points: {why}</>,
        none: (why: ReactNode) => <>There is no sandbox here: {why}</>,
      },
    },

    /** The record of decisions about tool calls. */
    decisions: {
      title: "Decisions",
      lead: "What agents were allowed or denied, and by whom.",
      none: "No decisions yet.",
      allow: "Allowed",
      deny: "Denied",
      deleted: (tool: string) => `Use ${tool} (the conversation was deleted)`,
      facts: (time: string, by: string, outcome: string | null, sandbox: string | null) =>
        [time, by, outcome, sandbox === null ? null : "in the sandbox"].filter((fact) => fact !== null).join(" · "),
      byMode: (mode: string) => `by the mode “${mode}”`,
      by: {
        rule: "by a rule",
        person: "by you",
        expired: "not answered in time",
        cancelled: "the turn was stopped",
        forbidden: "never allowed",
        unattended: "no window was open",
        unshown: "too long to be shown",
        tool: "the tool refused it",
      } as Named,
      outcomes: {
        done: "done",
        failed: "failed",
        denied: "not run",
        cancelled: "stopped",
        unknown: "ended unknown",
        asked_again: "asked again",
      },
    },

    permissions: {
      rules: "Rules",
      rulesLead: "Rules that deny come before everything else. “Always allow” and “Always deny” add a rule here.",
      noRules: "No rules yet.",
      /** Since when a rule applies and until when, who added it, and whether that was an answer to a question. */
      origin: (time: string, until: string | null, by: string | null, answered: boolean) =>
        [
          until === null ? `since ${time}` : `since ${time}, until ${until}`,
          by === null ? null : answered ? `from an answer by ${by}` : `added by ${by}`,
        ]
          .filter((fact) => fact !== null)
          .join(" · "),
      deleteRule: (rule: string) => `Delete the rule: ${rule}`,
      addRule: "Add a rule",
      effect: "Effect",
      allow: "Allow",
      deny: "Deny",
      everyTool: "Every tool (deny only)",
      appliesTo: "Applies to",
      exact: "Exactly this",
      beneath: "A folder and everything in it",
      glob: "A pattern",
      program: "A program",
      any: "Every call of the tool",
      help: {
        glob: "* stands for any characters except /, and ** for any number of folders: /home/me/notes/**/*.md or https://*.example.com.",
        program: "A program with its subcommand, for example npm test. Any arguments may follow.",
      },
      values: {
        value: "Path, command or address",
        command: "Command",
        glob: "Pattern",
        program: "Program and subcommand",
      },
      folder: "Folder in which it runs",
      anyFolder: "Folder in which it runs (empty: any)",
      /** A condition on an argument of the calls that a rule covers. */
      condition: {
        add: "Add a condition",
        lead: "A rule that allows applies if all conditions hold, one that denies also if a condition can’t be tested. Numbers, true and false are compared as such.",
        title: (place: number) => `Condition ${count(place)}`,
        argument: "Argument",
        test: "Test",
        tests: {
          equals: "is",
          one_of: "is one of",
          beneath: "is in the folder",
          glob: "matches the pattern",
        },
        values: {
          equals: "Value",
          one_of: "Values (a, b)",
          beneath: "Path of the folder",
          glob: "Pattern of the value",
        },
        negated: "Not",
        remove: (place: number) => `Remove condition ${count(place)}`,
      },
      tryOut: "Test your permissions",
      tryOutLead: "See whether a tool call would be allowed, denied or asked about. Nothing runs.",
      argumentsJson: "Arguments (JSON)",
      check: "Check",
      outcome: {
        allow: "This would run at once.",
        deny: "This would be denied.",
        ask: "You would be asked.",
      },
      decidedBy: "Decided by this rule",
      scopes: "“Always allow” can cover",
      covers: (calls: ReactNode) => <>“Always allow” would cover: {calls}</>,
    },

    config: {
      workDir: { label: "Work folder", words: "Where tools read and write." },
      approvalTimeout: {
        label: "How long a question waits",
        words: "Then the call is denied. For example 90 (seconds), 10 min or 2 h; 0 is no limit.",
      },
      onUnattended: {
        label: "Questions while no window is open",
        choices: { wait: "Wait until a window opens", deny: "Deny at once" },
      },
      maxRequests: { label: "Maximum requests per turn", words: "Requests to the model." },
      maxToolCalls: { label: "Maximum tool calls per turn" },
      maxTokens: { label: "Maximum tokens per turn", words: "Input and output together." },
      maxTurn: {
        label: "Maximum time per turn",
        words: "For example 90 (seconds), 10 min or 2 h. Time spent waiting for your answer does not count.",
      },
      passEnvironment: {
        label: "Environment variables",
        words: "Passed to commands besides the usual ones, separated by commas: AWS_PROFILE, MY_*.",
      },
      commandPath: {
        label: "PATH of commands",
        words: "auto (Aster decides), login (from your login shell), inherit (from Aster), or a list of folders.",
      },
      loading: "Loading…",
      notANumber: "Enter a number.",
      examples: {
        count: "For example 1000 or 20k.",
        seconds: "For example 90, 10 min or 1.5 h.",
      },
      reset: "Reset to default",
      atStart: "Set at startup",
      configuration: "Configuration",
      data: "Data",
      logs: "Logs",
    },

    appearance: {
      themes: {
        system: "Match system",
        light: "Light",
        dark: "Dark",
      },
      lead: "Saved on this device.",
    },

    services: {
      lead: "Programs that run beside Aster. They are set in config.toml.",
      states: {
        stopped: "stopped",
        starting: "starting",
        running: "running",
        backoff: "restarting soon",
        stopping: "stopping",
        crashed: "crashed",
      },
      none: "No services.",
      process: (pid: number) => `Process ${pid}.`,
      started: (time: string) => `Started ${time}.`,
      ended: (time: string, how: ReactNode) => (
        <>
          Ended {time} ({how}).
        </>
      ),
      bySignal: (signal: string) => `signal ${signal}`,
      withCode: (code: number) => `exit code ${code}`,
      withoutCode: "exit code unknown",
      startedAgain: (times: number) =>
        plural(times, `Restarted ${count(times)} time.`, `Restarted ${count(times)} times.`),
      nextTry: (time: string) => `Next try: ${time}.`,
    },

    /** What a service or an MCP server wrote. */
    lines: {
      dropped: (lines: number) =>
        plural(
          lines,
          `${count(lines)} line was dropped because output came too fast.`,
          `${count(lines)} lines were dropped because output came too fast.`,
        ),
      none: "No output yet.",
      refresh: "Refresh",
      file: (path: ReactNode) => <>Full log: {path}</>,
    },

    mcp: {
      lead: "Programs and addresses that give agents more tools. Their tools ask before they run, unless you allow it.",
      none: "No MCP servers yet.",
      open: { add: "Add a server", import: "From other apps" },
      added: (names: string) => `Added: ${names}.`,
      removed: (name: string) => `Removed: ${name}.`,
      saved: "Saved.",
      states: {
        disabled: "off",
        idle: "not started",
        starting: "starting",
        ready: "ready",
        backoff: "waiting to retry",
        crashed: "crashed",
      },
      on: "On",
      useServer: (name: string) => `Use ${name}`,
      restartServer: (name: string) => `Restart ${name}`,
      details: "Details",
      detailsOf: (name: string) => `Details of ${name}`,
      tools: (tools: number) => plural(tools, `${count(tools)} tool.`, `${count(tools)} tools.`),
      changedTools: (tools: number) =>
        plural(
          tools,
          `${count(tools)} has a changed definition: its next call asks.`,
          `${count(tools)} have changed definitions: their next calls ask.`,
        ),
      nextTry: (time: string) => `It is not started again before ${time}, unless you restart it.`,
      problems: (problems: number) =>
        plural(problems, `${count(problems)} tool can’t be offered`, `${count(problems)} tools can’t be offered`),

      browser: {
        title: "Browser",
        lead: "Agents can open pages, click and type in a browser of their own. Opening a site asks first.",
        use: "Give agents a browser",
        headless: "Without windows",
        isolated: "Forget cookies and logins when it ends",
        again: "A browser that is running is started again when you change this.",
        allowed: "It opens public addresses, and on this computer and its networks only these.",
        host: "A host, with a port if you like",
        example: "localhost:3000",
        allow: "Allow this host",
        disallow: (host: string) => `Remove the host ${host}`,
        refused: (addresses: number) =>
          plural(addresses, "1 address was refused", `${count(addresses)} addresses were refused`),
        unsandboxed: (why: ReactNode) => <>The browser’s own sandbox is off: {why}.</>,
      },

      /** One server. */
      back: "All MCP servers",
      gone: "There is no server of this name. It may have been removed.",
      program: "Program",
      address: "Address",
      implementation: "Name and version",
      protocol: "MCP version",
      readySince: "Ready since",
      failures: "Failures in a row",
      toolsTitle: "Its tools",
      toolsOn: (on: number, all: number) => `${count(on)} of ${count(all)} are on.`,
      noTools: "It has no tools.",
      toolsLater: "Its tools are shown once it has answered.",
      changed: "definition changed",
      changedWords:
        "The server changed the definition of this tool. The next call asks, and the question shows what changed.",
      notOffered: (why: ReactNode) => <>Not offered: {why}</>,
      risk: "Risk of its tools",
      riskLead: "A tool that can destroy something, as the server itself says, always has a high risk.",
      /** What each risk means. */
      risks: {
        low: "In the mode “Ask before changes”, its tools run at once. Choose this only if they just read.",
        medium: "Its tools wait for you, unless a rule or the mode allows them.",
        high: "The same, and questions are marked as high risk. Choose this if you are not sure.",
      },
      agents: "Agents that get its tools",
      allAgents: "All agents",
      theseAgents: "Only these agents",
      resources: "Resources",
      prompts: "Prompts",
      optional: " (optional)",
      follow: "Follow",
      remove: "Remove…",
      removeNow: "Remove permanently",
      sure: "Its settings and saved secrets are deleted.",

      /** The form. */
      editTitle: "Settings of this server",
      name: "Name",
      nameHelp: "Up to 32 of a–z, 0–9, _ and -. The names of its tools begin with it.",
      kind: "Kind",
      kinds: { program: "A program on this computer", address: "An address" },
      command: "Command line",
      commandExample: "npx -y @modelcontextprotocol/server-memory",
      commandHelp: "The program and its arguments. Put quotes around an argument with blanks.",
      splitInto: "Program and arguments:",
      folder: "Folder in which the program runs",
      folderHelp: "An absolute path. Empty: the work folder.",
      addressExample: "https://example.com/mcp",
      roots: {
        title: "Where it is told to work",
        conversation: "In the folder of the conversation",
        conversationHelp:
          "Also in folders that are among its arguments. This is information for the server: it can still reach other folders.",
        these: "In these folders",
        folders: "Folders, one per line",
        theseHelp:
          "Absolute paths, one per line. Empty: it is told none. This is information for the server: it can still reach other folders.",
      },
      timeout: "Seconds that a call may take",
      timeoutHelp: "Above 0, at most 3600. Empty: 60.",
      value: "Value",
      values: {
        add: { env: "Add a variable", headers: "Add a header" },
        title: {
          env: (place: number) => `Variable ${count(place)}`,
          headers: (place: number) => `Header ${count(place)}`,
        },
        remove: {
          env: (place: number) => `Remove variable ${count(place)}`,
          headers: (place: number) => `Remove header ${count(place)}`,
        },
        secret: "Secret",
        hidden: "••••",
        kept: "Saved, and not shown. It stays unless you type a new one.",
        lead: "A secret is saved in the keychain, and config.toml only refers to it. ${env:NAME} stands for a variable of Aster’s own environment.",
      },
      faults: {
        badName: () => "The name needs 1 to 32 of a–z, 0–9, _ and -.",
        nameTaken: (name: string) => `There is a server with the name ${name} already.`,
        noProgram: () => "Enter the command line of the program.",
        openQuote: (quote: string) => `The command line has a ${quote} that is not closed.`,
        noAddress: () => "Enter the address.",
        unnamed: () => "A value has no name.",
        twice: (name: string) => `The name ${name} is there twice.`,
        emptySecret: (name: string) => `Enter a value for ${name}.`,
        badTimeout: () => "Enter seconds above 0, at most 3600.",
      },
      add: "Add",
      try: "Try",
      trying: "Trying…",
      stopTrying: "Stop trying",
      tryStopped: "The try was stopped.",
      notTriable: (names: string) => `It can’t be tried here, because these saved values are not shown: ${names}.`,
      noAnswer: "The server did not answer",
      answered: (tools: number) =>
        plural(tools, `It answered, and has ${count(tools)} tool.`, `It answered, and has ${count(tools)} tools.`),

      /** Servers of other apps. */
      import: {
        lead: "Servers in the settings of other apps on this computer. Nothing is started before you add it.",
        looking: "Looking for files…",
        nothing: "No files with MCP servers were found.",
        noServers: "No servers in this file.",
        title: (name: string, theirs: string) => (name === theirs ? name : `${name} (there: ${theirs})`),
        exists: "It replaces your server of this name.",
        secrets: (names: string) => `Saved in the keychain: ${names}.`,
        not: "can’t be added",
        otherFile: "Another file",
        otherExample: "/home/me/project/.mcp.json",
        look: "Look into it",
        addSelected: (servers: number) => (servers === 0 ? "Add selected" : `Add selected (${count(servers)})`),
        twice: (name: string) => `Two selected servers have the name ${name}. Choose one of them.`,
        missing: (what: string, server: string) => `Enter “${what}” for ${server}.`,
      },
    },

    flags: {
      lead: "Turn features on or off.",
      default: (value: string) => `(default: ${value})`,
      defaultOn: "(default: on)",
      defaultOff: "(default: off)",
    },

    browsers: {
      lead: "A link signs in one browser on this computer. It works once, within a minute.",
      create: "Create a link",
      copy: "Copy the link",
      holds: (until: string) => `Valid until ${until}.`,
      none: "No other browser is signed in.",
      signedIn: (time: string, used: string, quiet: (words: string) => ReactNode) => (
        <>
          Signed in {time}
          {quiet(`, used ${used}`)}
        </>
      ),
      signOut: "Sign out",
    },

    diagnostics: {
      lead: "One file with versions, states, the last log lines, and settings (without secrets). Nothing is sent.",
      includeMessages: "Include messages",
      collecting: "Collecting…",
      create: "Create file",
      show: "Show in folder",
      download: "Download",
      facts: (size: string, time: string) => `${size}, ${time}`,
      refused: (status: number) => `The file could not be made (error ${status}).`,
    },

    about: {
      version: "Version",
      protocol: "Protocol",
      status: "Status",
      framework: "Framework",
      port: "Port",
      process: "Process",
      instance: "Instance",
      since: "Running since",
      uptime: "Uptime",
      store: "Store",
      streams: "Open streams",
      checkForUpdates: "Check for updates",
      newest: "This is the newest version.",
      noUpdates: "This app does not update itself.",
    },
  },
};
