import { useEffect, useRef } from "react";
import { IconButton } from "./Buttons.js";

const MAC = /Mac|iP(hone|ad)/.test(navigator.userAgent);
const MOD = MAC ? "⌘" : "Ctrl";

const GROUPS: [string, [string[], string][]][] = [
  [
    "Anywhere",
    [
      [[MOD, "K"], "commands and conversations"],
      [["/"], "search conversations"],
      [["?"], "this list"],
      [["Alt", "N"], "new conversation"],
      [["Alt", "I"], "inbox"],
      [["Alt", "Q"], "to the question that waits"],
      [["Alt", "M"], "to the message field"],
    ],
  ],
  [
    "While you write",
    [
      [["Enter"], "send"],
      [["Shift", "Enter"], "new line"],
      [["↑"], "what you said before, when the field is empty"],
      [["Esc"], "stop the answer"],
    ],
  ],
  [
    "On a question that has the focus",
    [
      [["a"], "allow once"],
      [["d"], "deny"],
      [["l"], "always allow, after a confirmation"],
      [["x"], "always deny, after a confirmation"],
      [["n"], "write a note"],
      [["e"], "edit the arguments"],
    ],
  ],
  [
    "On a conversation in the list",
    [
      [["F2"], "rename"],
      [["Delete"], "delete, with a way back"],
    ],
  ],
];

export default function Shortcuts({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="shortcuts-title"
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="shortcuts" tabIndex={0} role="region" aria-labelledby="shortcuts-title">
        <div className="shortcuts-head">
          <h2 id="shortcuts-title">Keyboard</h2>
          <IconButton icon="cross" label="Close" onClick={onClose} />
        </div>
        {GROUPS.map(([title, keys]) => (
          <section key={title}>
            <h3 className="label">{title}</h3>
            <dl>
              {keys.map(([combination, words]) => (
                <div key={words} className="pair">
                  <dt>
                    {combination.map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{words}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}
