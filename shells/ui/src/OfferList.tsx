// The list above the message field, from which a resource or a prompt is chosen while its name is typed.
import { useEffect, useRef } from "react";
import { Icon } from "./Icon.js";
import { texts } from "./messages.js";
import { aboutOf, nameOf, titleOf, type Offer } from "./offers.js";
import { visible } from "./Plain.js";

interface OfferListProps {
  id: string;
  offers: readonly Offer[];
  /** The place of the chosen one. */
  chosen: number;
  onPoint: (place: number) => void;
  onChoose: (offer: Offer) => void;
}

export function OfferList({ id, offers, chosen, onPoint, onChoose }: OfferListProps) {
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [chosen, offers]);
  const prompts = offers[0]?.kind === "prompt";
  return (
    <ul
      ref={list}
      id={id}
      className="offers"
      role="listbox"
      aria-label={prompts ? texts.settings.mcp.prompts : texts.settings.mcp.resources}
      // A press must not take the focus from the message field.
      onMouseDown={(event) => event.preventDefault()}
    >
      {offers.map((offer, place) => (
        <li
          key={place}
          id={`${id}-${place}`}
          role="option"
          aria-selected={place === chosen}
          onPointerMove={() => onPoint(place)}
          onClick={() => onChoose(offer)}
        >
          <Icon name={offer.kind === "prompt" ? "edit" : "file"} />
          <span className="offer-words">
            <span className="offer-name">{visible(nameOf(offer))}</span>
            {titleOf(offer) !== null && <span>{visible(titleOf(offer) ?? "")}</span>}
            <span className="quiet">{visible(aboutOf(offer))}</span>
          </span>
        </li>
      ))}
    </ul>
  );
}
