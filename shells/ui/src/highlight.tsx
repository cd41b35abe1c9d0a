// Highlights code. The highlighter is fetched when the first code is shown; its tree becomes React elements.
import { common, createLowlight } from "lowlight";
import { Fragment, type ReactNode } from "react";
import { visible } from "./Plain.js";

type Tree = ReturnType<ReturnType<typeof createLowlight>["highlight"]>;
type Node = Tree["children"][number];

const lowlight = createLowlight(common);

/** Null if the language is not known. */
export function highlight(text: string, language: string): ReactNode {
  const name = language.toLowerCase();
  if (!lowlight.registered(name)) return null;
  return nodes(lowlight.highlight(name, text).children);
}

function nodes(children: readonly Node[]): ReactNode[] {
  return children.map((node, key) => {
    if (node.type === "text") return <Fragment key={key}>{visible(node.value)}</Fragment>;
    if (node.type !== "element") return null;
    const names = node.properties.className;
    return (
      <span key={key} className={Array.isArray(names) ? names.join(" ") : undefined}>
        {nodes(node.children)}
      </span>
    );
  });
}
