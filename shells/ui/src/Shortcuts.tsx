import { useEffect, useRef } from "react";
import { IconButton } from "./Buttons.js";
import { texts } from "./messages.js";

const MAC = /Mac|iP(hone|ad)/.test(navigator.userAgent);
const MOD = MAC ? "⌘" : texts.keys.ctrl;

const GROUPS: [string, [string[], string][]][] = [
  [
    texts.shortcuts.anywhere,
    [
      [[MOD, "K"], texts.shortcuts.commands],
      [["/"], texts.shortcuts.search],
      [[MOD, "F"], texts.shortcuts.find],
      [["?"], texts.shortcuts.list],
      [[texts.keys.alt, "N"], texts.shortcuts.newConversation],
      [[texts.keys.alt, "I"], texts.shortcuts.inbox],
      [[texts.keys.alt, "Q"], texts.shortcuts.question],
      [[texts.keys.alt, "M"], texts.shortcuts.message],
    ],
  ],
  [
    texts.shortcuts.writing,
    [
      [[texts.keys.enter], texts.shortcuts.send],
      [[texts.keys.shift, texts.keys.enter], texts.shortcuts.newLine],
      [["↑"], texts.shortcuts.before],
      [[texts.keys.esc], texts.shortcuts.stop],
    ],
  ],
  [
    texts.shortcuts.onQuestion,
    [
      [["a"], texts.shortcuts.allow],
      [["d"], texts.shortcuts.deny],
      [["l"], texts.shortcuts.alwaysAllow],
      [["x"], texts.shortcuts.alwaysDeny],
      [["n"], texts.shortcuts.note],
      [["e"], texts.shortcuts.edit],
      [[MOD, texts.keys.enter], texts.shortcuts.answer],
    ],
  ],
  [
    texts.shortcuts.onConversation,
    [
      [["F2"], texts.shortcuts.rename],
      [[texts.keys.delete], texts.shortcuts.delete],
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
          <h2 id="shortcuts-title">{texts.shortcuts.title}</h2>
          <IconButton icon="cross" label={texts.shared.close} onClick={onClose} />
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
