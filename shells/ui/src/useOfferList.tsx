// The list of resources or prompts beside a message field: which are shown, and the keys that choose one.
import { useId, useState, type KeyboardEvent, type ReactNode, type RefObject } from "react";
import { OfferList } from "./OfferList.js";
import {
  matching,
  typedAt,
  useOffers,
  type Offer,
  type PromptOffer,
  type ResourceOffer,
  type Typed,
} from "./offers.js";

interface OfferListHandle {
  list: ReactNode;
  /** Attributes of the field, for screen readers. */
  attributes: {
    "aria-autocomplete": "list";
    "aria-controls"?: string | undefined;
    "aria-activedescendant"?: string | undefined;
    onSelect: () => void;
    onBlur: () => void;
  };
  /** Handles a key of the field. Returns whether the key was for the list. */
  pressed: (event: KeyboardEvent) => boolean;
}

export function useOfferList({
  text,
  box,
  onResource,
  onPrompt,
}: {
  text: string;
  box: RefObject<HTMLTextAreaElement | null>;
  onResource: (offer: ResourceOffer, typed: Typed) => void;
  onPrompt: (offer: PromptOffer, typed: Typed) => void;
}): OfferListHandle {
  const id = useId();
  const [caret, setCaret] = useState<number | null>(null);
  const [at, setAt] = useState(0);
  /** The beginning of the word for which the person closed the list. */
  const [closed, setClosed] = useState<number | null>(null);
  const word = caret === null ? null : typedAt(text, caret);
  const typed = word === null || word.start === closed ? null : word;
  const all = useOffers(typed?.kind ?? null);
  const shown = typed === null ? [] : matching(all, typed.query);
  const chosen = Math.min(at, shown.length - 1);

  function choose(offer: Offer): void {
    if (typed === null) return;
    setCaret(null);
    setAt(0);
    if (offer.kind === "resource") onResource(offer, typed);
    else onPrompt(offer, typed);
  }

  function pressed(event: KeyboardEvent): boolean {
    const offer = shown[chosen];
    if (offer === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return false;
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    const step = steps[event.key];
    if (step !== undefined) setAt(Math.max(0, Math.min(shown.length - 1, chosen + step)));
    else if (event.key === "Enter" || event.key === "Tab") choose(offer);
    else if (event.key === "Escape") setClosed(typed?.start ?? null);
    else return false;
    event.preventDefault();
    event.stopPropagation(); // Escape would stop the answer
    return true;
  }

  return {
    list: shown.length > 0 && <OfferList id={id} offers={shown} chosen={chosen} onPoint={setAt} onChoose={choose} />,
    attributes: {
      "aria-autocomplete": "list",
      "aria-controls": shown.length > 0 ? id : undefined,
      "aria-activedescendant": shown.length > 0 ? `${id}-${chosen}` : undefined,
      onSelect: () => {
        if (box.current === null) return;
        const { selectionStart, selectionEnd, value } = box.current;
        const now = selectionStart === selectionEnd ? selectionStart : null;
        setCaret(now);
        if (now === null || typedAt(value, now) === null) setClosed(null);
      },
      onBlur: () => setCaret(null),
    },
    pressed,
  };
}
