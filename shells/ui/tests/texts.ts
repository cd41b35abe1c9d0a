// Parses the page's source as TypeScript, for tests: the texts in it, and the texts of messages.tsx that it uses.
import ts from "typescript";

/** The placeholder for a value in a text. */
export const VALUE = "¤";

export function parse(name: string, source: string): ts.SourceFile {
  return ts.createSourceFile(name, source, ts.ScriptTarget.ES2022, true, ts.ScriptKind.TSX);
}

const lineOf = (file: ts.SourceFile, node: ts.Node): number =>
  file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

type Text = ts.StringLiteral | ts.NoSubstitutionTemplateLiteral | ts.TemplateExpression;

const isText = (node: ts.Node): node is Text => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);

function wordsOf(node: Text): string {
  if (!ts.isTemplateExpression(node)) return node.text;
  return node.head.text + node.templateSpans.map(({ literal }) => VALUE + literal.text).join("");
}

/** An expression without parentheses and type annotations. */
function bare(node: ts.Expression): ts.Expression {
  while (
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node)
  )
    node = node.expression;
  return node;
}

/** `b` of `a.b(…)`, of `new b(…)` and of `b(…)`. */
function calledName(node: ts.CallExpression | ts.NewExpression): string {
  const called = node.expression;
  return ts.isPropertyAccessExpression(called) ? called.name.text : ts.isIdentifier(called) ? called.text : "";
}

// -- texts outside of messages.tsx ---------------------------------------------------------------------------------------

/** Attributes of elements, and properties of the page's own components, that people read or hear. */
const SEEN_ATTRIBUTES = new Set(
  "alt aria-description aria-label aria-placeholder aria-roledescription aria-valuetext label none placeholder title".split(
    " ",
  ),
);
const SEEN_PROPERTIES = new Set(
  "ariaLabel body hint label message placeholder problem textContent title words".split(" "),
);
const SEEN_ARGUMENTS = new Set("Error Notification announce failed sentence toast visible visibleText".split(" "));

interface Position {
  /** The node that the text belongs to. */
  node: ts.Node;
  from: ts.Node;
  text: string;
}

const parameterOf = (node: ts.Node, ...names: string[]): boolean =>
  (ts.isCallExpression(node) || ts.isNewExpression(node)) && names.includes(calledName(node));
const named = (node: ts.Node, name: string): boolean =>
  (ts.isPropertyAssignment(node) ||
    ts.isJsxAttribute(node) ||
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isBindingElement(node)) &&
  node.name.getText() === name;

/** Strings that look like words but are not for people, by the kind of place that they are in. */
const ALLOWED: Record<string, (position: Position) => boolean> = {
  "a module's name": ({ node }) =>
    ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || (ts.isCallExpression(node) && isImport(node)),
  "a type": ({ node }) => ts.isLiteralTypeNode(node),
  "a property's name": ({ node, from }) => ts.isPropertyAssignment(node) && node.name === from,
  "a name that is compared: of a key, or of what a browser or the daemon gives": ({ node }) =>
    ts.isCaseClause(node) ||
    (ts.isBinaryExpression(node) &&
      [
        ts.SyntaxKind.EqualsEqualsEqualsToken,
        ts.SyntaxKind.ExclamationEqualsEqualsToken,
        ts.SyntaxKind.InKeyword,
      ].includes(node.operatorToken.kind)) ||
    parameterOf(node, "endsWith", "has", "includes", "startsWith"),
  "names of classes": ({ node }) =>
    named(node, "className") ||
    (ts.isBinaryExpression(node) && ts.isPropertyAccessExpression(node.left) && node.left.name.text === "className"),
  "what a link is to the page": ({ node }) => named(node, "rel"),
  "keys that press a button": ({ node }) => named(node, "aria-keyshortcuts"),
  "a selector, or a question to the style": ({ node }) =>
    parameterOf(node, "closest", "matchMedia", "matches", "querySelector", "querySelectorAll"),
  "a header of HTTP": ({ node }) => named(node, "Authorization"),
  "what the page says to a model": ({ node }) => parameterOf(node, "say") || named(node, "SUGGESTIONS"),
  "what a rule calls a command to the daemon": ({ node }) => named(node, "placed"),
  "a unit of measure": ({ text }) => /^[\s\d¤]*(?:(?:ms|s|min|B|KiB|MiB)[\s¤]*)+$/u.test(text),
};

const isImport = (node: ts.CallExpression): boolean => node.expression.kind === ts.SyntaxKind.ImportKeyword;

/** The node that receives a text, outside of parentheses, choices and lists. */
function placeOf(text: Text): ts.Node {
  let node: ts.Node = text.parent;
  for (;;) {
    const choice =
      ts.isConditionalExpression(node) || ts.isParenthesizedExpression(node) || ts.isArrayLiteralExpression(node);
    const inTag = ts.isJsxExpression(node) && ts.isJsxAttribute(node.parent);
    const typed = ts.isAsExpression(node) || ts.isSatisfiesExpression(node);
    const other = ts.isBinaryExpression(node) && /^(\?\?|\|\||&&|\+)$/.test(node.operatorToken.getText());
    if (!choice && !inTag && !typed && !other) return node;
    node = node.parent;
  }
}

/** Two words, or one word that begins like a sentence. */
const READS_LIKE_WORDS = /[\p{L}¤][,.:;!?]?\s+\p{L}|\p{L}[,.:;!?]?\s+¤|^\p{Lu}\p{Ll}/u;
/** Where a text is shown, every word counts; a single letter is the name of a key. */
const WORD = /\p{L}\p{M}*\p{L}/u;
/** Punctuation that joins pieces into a sentence. */
const GLUE = /[.,:;!?()“”–]/u;

/** Returns the source of an imported module, by the text of the import; undefined when it is not one of ours. */
export type Imported = (module: string) => string | undefined;

/** Each text for people in a file, as `file:line: text (why)`. */
export function leftovers(name: string, source: string, imported: Imported = () => undefined): string[] {
  const file = parse(name, source);
  const found = new Map<ts.Node, string>();
  const fault = (node: ts.Node, text: string, why: string, at = node): void => {
    const words = text.replace(/\s+/g, " ").trim();
    if (!found.has(node)) found.set(node, `${name}:${lineOf(file, at)}: ${words} (${why})`);
  };
  const shown = (node: ts.Expression | undefined, why: string): void => {
    for (const text of shownBy(node, imported)) {
      const here = text.getSourceFile() === file;
      if (WORD.test(wordsOf(text))) fault(text, wordsOf(text), why, here ? text : node);
    }
  };

  walk(file, (node) => {
    if (ts.isJsxText(node)) {
      const inKey = ts.isJsxElement(node.parent) && node.parent.openingElement.tagName.getText() === "kbd";
      if (/\p{L}/u.test(node.text) ? !(inKey && /^\p{L}$/u.test(node.text)) : GLUE.test(node.text))
        fault(node, node.text, "text between tags");
    } else if (ts.isJsxExpression(node) && !ts.isJsxAttribute(node.parent))
      shown(node.expression, "shown between tags");
    else if (ts.isJsxAttribute(node) && SEEN_ATTRIBUTES.has(node.name.getText())) {
      const given = node.initializer;
      shown(given && ts.isJsxExpression(given) ? given.expression : given, node.name.getText());
    } else if (ts.isPropertyAssignment(node) && SEEN_PROPERTIES.has(node.name.getText()))
      shown(node.initializer, node.name.getText());
    else if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && SEEN_ARGUMENTS.has(calledName(node)))
      for (const given of node.arguments ?? []) shown(given, calledName(node));
    else if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
      const to = node.left;
      if (ts.isPropertyAccessExpression(to) && SEEN_PROPERTIES.has(to.name.text)) shown(node.right, to.name.text);
    }
  });
  walk(file, (node) => {
    if (!isText(node) || !READS_LIKE_WORDS.test(wordsOf(node))) return;
    const position = { node: placeOf(node), from: node, text: wordsOf(node) };
    if (!Object.values(ALLOWED).some((allows) => allows(position))) fault(node, wordsOf(node), "reads like words");
  });
  return [...found.values()];
}

/** The texts that an expression can have, also through a constant or a table in the same file or in an imported one. */
function shownBy(given: ts.Expression | undefined, imported: Imported): Text[] {
  const by = (inner: ts.Expression | undefined): Text[] => shownBy(inner, imported);
  if (!given) return [];
  const node = bare(given);
  if (isText(node)) {
    const inner = ts.isTemplateExpression(node) ? node.templateSpans.flatMap(({ expression }) => by(expression)) : [];
    return [node, ...inner];
  }
  if (ts.isConditionalExpression(node)) return [...by(node.whenTrue), ...by(node.whenFalse)];
  if (ts.isBinaryExpression(node)) {
    const operator = node.operatorToken.getText();
    if (operator === "&&") return by(node.right);
    return ["||", "??", "+"].includes(operator) ? [...by(node.left), ...by(node.right)] : [];
  }
  if (ts.isArrayLiteralExpression(node)) return node.elements.flatMap(by);
  if (ts.isCallExpression(node)) return calledName(node) === "join" ? node.arguments.flatMap(by) : [];
  if (ts.isElementAccessExpression(node) || ts.isPropertyAccessExpression(node)) {
    const table = ts.isIdentifier(node.expression) ? constantOf(node.expression, imported) : undefined;
    if (!table || !ts.isObjectLiteralExpression(table)) return [];
    return table.properties.flatMap((one) => (ts.isPropertyAssignment(one) ? by(one.initializer) : []));
  }
  const constant = ts.isIdentifier(node) ? constantOf(node, imported) : undefined;
  return constant && !ts.isObjectLiteralExpression(constant) ? by(constant) : [];
}

/** The value of a constant, from the innermost scope that declares it. */
function constantOf(name: ts.Identifier, imported: Imported): ts.Expression | undefined {
  let node: ts.Node = name.parent;
  for (; !ts.isSourceFile(node); node = node.parent) {
    if (ts.isFunctionLike(node) && node.parameters.some((one) => bound(one.name, name.text))) return undefined;
    if (!ts.isBlock(node)) continue;
    const given = givenIn(node.statements, name.text);
    if (given !== undefined) return given ?? undefined;
  }
  const given = givenIn(node.statements, name.text);
  if (given !== undefined) return given ?? undefined;
  for (const statement of node.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const names = statement.importClause?.namedBindings;
    if (!names || !ts.isNamedImports(names)) continue;
    const found = names.elements.find((one) => one.name.text === name.text);
    const source = found && imported(statement.moduleSpecifier.text);
    if (source === undefined) continue;
    return givenIn(parse("", source).statements, (found?.propertyName ?? name).text) ?? undefined;
  }
  return undefined;
}

/** The value of a name in these statements; null: not a single expression; undefined: it is not declared there. */
function givenIn(statements: readonly ts.Statement[], name: string): ts.Expression | null | undefined {
  for (const statement of statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const one of statement.declarationList.declarations) {
      if (!bound(one.name, name)) continue;
      return ts.isIdentifier(one.name) && one.initializer ? bare(one.initializer) : null;
    }
  }
  return undefined;
}

function bound(pattern: ts.BindingName, name: string): boolean {
  if (ts.isIdentifier(pattern)) return pattern.text === name;
  return pattern.elements.some((one) => ts.isBindingElement(one) && bound(one.name, name));
}

// -- messages.tsx ----------------------------------------------------------------------------------------------------------

export interface Entry {
  /** For example `composer.modes.queue.label`. */
  path: string;
  line: number;
  /** Its possible texts, each complete. */
  texts: string[];
}

/** The entries of `export const texts = {…}`. */
export function entriesOf(source: string): Entry[] {
  const file = parse("messages.tsx", source);
  const entries: Entry[] = [];
  const read = (node: ts.Expression, path: string[]): void => {
    const value = bare(node);
    if (!ts.isObjectLiteralExpression(value)) {
      entries.push({ path: path.join("."), line: lineOf(file, node), texts: wholes(value) });
      return;
    }
    for (const one of value.properties) {
      if (!ts.isPropertyAssignment(one)) throw new Error(`${path.join(".")}: only names with texts are read here`);
      read(one.initializer, [...path, one.name.getText()]);
    }
  };
  walk(file, (node) => {
    if (ts.isVariableDeclaration(node) && node.name.getText() === "texts" && node.initializer)
      read(node.initializer, []);
  });
  return entries;
}

/** The complete texts of an entry: each branch of a choice, each form of a plural, an element with its content. */
function wholes(node: ts.Node): string[] {
  if (isText(node)) return [wordsOf(node)];
  if (ts.isJsxFragment(node) || ts.isJsxElement(node)) return [said(node).trim()];
  if (ts.isTypeNode(node)) return [];
  const inner: string[] = [];
  ts.forEachChild(node, (child) => {
    inner.push(...wholes(child));
  });
  return inner;
}

function said(node: ts.JsxChild): string {
  if (ts.isJsxText(node)) {
    const lines = node.text.split("\n");
    const cut = lines.map((line, at) => {
      const begun = at === 0 ? line : line.trimStart();
      return at === lines.length - 1 ? begun : begun.trimEnd();
    });
    return cut.filter((line) => line !== "").join(" ");
  }
  if (ts.isJsxExpression(node)) return node.expression ? wholes(node.expression).join("") || VALUE : "";
  return ts.isJsxSelfClosingElement(node) ? "" : node.children.map(said).join("");
}

// -- the use of messages.tsx -------------------------------------------------------------------------------------------------

export interface Use {
  /** The path of an entry; `*` where the name is computed. */
  path: string;
  /** Whether everything below it is used. */
  spread: boolean;
  /** Whether it is the complete text of a notice, and so must be a sentence. */
  notice: boolean;
  where: string;
}

export function usesOf(name: string, source: string): Use[] {
  const file = parse(name, source);
  const uses: Use[] = [];
  walk(file, (node) => {
    if (!ts.isIdentifier(node) || node.text !== "texts" || ts.isImportSpecifier(node.parent)) return;
    const path: string[] = [];
    let top: ts.Node = node;
    for (;;) {
      const { parent } = top;
      if (ts.isPropertyAccessExpression(parent) && parent.expression === top) path.push(parent.name.text);
      else if (ts.isElementAccessExpression(parent) && parent.expression === top) path.push("*");
      else break;
      top = parent;
    }
    const spread = ts.isSpreadAssignment(top.parent);
    uses.push({ path: path.join("."), spread, notice: isNotice(top), where: `${name}:${lineOf(file, node)}` });
  });
  return uses;
}

const matches = (use: Use, path: string): boolean => {
  const [wanted, names] = [use.path.split("."), path.split(".")];
  if (use.spread ? names.length <= wanted.length : names.length !== wanted.length) return false;
  return wanted.every((name, at) => name === "*" || name === names[at]);
};

export const usedBy = (uses: readonly Use[], path: string): Use[] => uses.filter((use) => matches(use, path));

/** Uses that name no entry: a group of texts is passed on, so it is not known which of them are used. */
export const vague = (uses: readonly Use[], entries: readonly Entry[]): Use[] =>
  uses.filter((use) => !entries.some(({ path }) => matches(use, path)));

/** Elements whose text is a notice, by the class of a paragraph or hint. */
const NOTICES = /^(?:empty|hint|lead|message-end|tool-unknown)$/;

/** The value of an attribute; `{}` when it is computed, empty when it does not exist. */
function attributeOf(attributes: ts.JsxAttributes, name: string): string {
  for (const one of attributes.properties) {
    if (!ts.isJsxAttribute(one) || one.name.getText() !== name) continue;
    return one.initializer && ts.isStringLiteral(one.initializer) ? one.initializer.text : "{}";
  }
  return "";
}

/** Whether the text is shown as a notice: in a toast, to a screen reader, in a note, a status or a lead. */
function isNotice(from: ts.Node): boolean {
  for (let node = from; ; node = node.parent) {
    const { parent } = node;
    if (ts.isCallExpression(parent)) {
      if (parent.expression === node) continue;
      const called = calledName(parent);
      if (["announce", "failed", "toast"].includes(called)) return parent.arguments[0] === node;
      if (!["push", "visible", "visibleText"].includes(called)) return false;
      if (called === "push") return true;
      continue;
    }
    if (ts.isPropertyAssignment(parent)) return ["hint", "message"].includes(parent.name.getText());
    if (ts.isJsxAttribute(parent)) return parent.name.getText() === "none";
    if (ts.isJsxElement(parent)) {
      const { tagName, attributes } = parent.openingElement;
      if (tagName.getText() === "Note") return true;
      const tag = tagName.getText();
      const classes = attributeOf(attributes, "className");
      if (["alert", "status"].includes(attributeOf(attributes, "role"))) return true;
      if (NOTICES.test(classes) || (tag === "p" && classes === "quiet")) return true;
      if (!["div", "p", "span"].includes(tag) || classes !== "") return false;
      continue;
    }
    const passes =
      ts.isConditionalExpression(parent) ||
      ts.isBinaryExpression(parent) ||
      ts.isParenthesizedExpression(parent) ||
      ts.isJsxExpression(parent) ||
      ts.isJsxFragment(parent);
    if (!passes) return false;
  }
}
