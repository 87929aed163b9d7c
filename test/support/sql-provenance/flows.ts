import ts from 'typescript';

/** Where values come from, over all files: what a call hands to a parameter, and what is stored in a variable or property. */
export interface Flows {
  /** Calls by the declaration that they resolve to. */
  readonly calls: ReadonlyMap<ts.Node, readonly ts.CallLikeExpression[]>;
  /** Calls of what has a type but no body there, by the name of the method, property or parameter that is called. */
  readonly interfaceCalls: ReadonlyMap<string, readonly ts.CallExpression[]>;
  /** What such calls may reach: functions by the name of the method, property or parameter under which they are given. */
  readonly implementations: ReadonlyMap<string, readonly ts.FunctionLikeDeclaration[]>;
  /** What is assigned to, pushed onto or given in an object literal for a variable or property, by its declaration. */
  readonly stores: ReadonlyMap<ts.Node, readonly ts.Expression[]>;
  /** Functions that are handed on as values, by declaration: the places where. */
  readonly handedOn: ReadonlyMap<ts.Node, readonly ts.Expression[]>;
  /** Properties of types that a query is said to return: data, whatever else may be stored in them. */
  readonly data: ReadonlySet<ts.Node>;
}

/** Methods that add to an array. */
const ADDING = new Set(['push', 'unshift']);

/** Collects the {@link Flows} of all `files`. */
export function collectFlows(checker: ts.TypeChecker, files: readonly ts.SourceFile[]): Flows {
  const calls = new Map<ts.Node, ts.CallLikeExpression[]>();
  const interfaceCalls = new Map<string, ts.CallExpression[]>();
  const implementations = new Map<string, ts.FunctionLikeDeclaration[]>();
  const stores = new Map<ts.Node, ts.Expression[]>();
  const handedOn = new Map<ts.Node, ts.Expression[]>();
  const data = new Set<ts.Node>();
  const store = (place: ts.Expression, value: ts.Expression): void => {
    for (const declaration of declarationsOf(checker, place)) add(stores, declaration, value);
  };

  const visitCall = (call: ts.CallExpression | ts.NewExpression): void => {
    const declaration = checker.getResolvedSignature(call)?.declaration;
    if (declaration !== undefined) add(calls, declaration, call);
    if (!ts.isCallExpression(call)) return;
    const name = nameOfCallee(call);
    if (name !== null && declaration !== undefined && isOfInterface(declaration)) add(interfaceCalls, name, call);
    if (!ts.isPropertyAccessExpression(call.expression)) return;
    const { expression } = call.expression;
    if (ADDING.has(call.expression.name.text)) for (const value of call.arguments) store(expression, value);
  };
  const visitLiteral = (literal: ts.ObjectLiteralExpression): void => {
    const wanted = checker.getContextualType(literal);
    if (wanted === undefined) return;
    for (const property of literal.properties) {
      const value = valueOf(property);
      if (value === undefined || property.name === undefined || !ts.isIdentifier(property.name)) continue;
      const types = wanted.isUnion() ? wanted.types : [wanted];
      for (const type of types)
        for (const declaration of checker.getPropertyOfType(type, property.name.text)?.declarations ?? [])
          add(stores, declaration, value);
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) visitCall(node);
    else if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind)) store(node.left, node.right);
    else if (ts.isObjectLiteralExpression(node)) visitLiteral(node);
    else if (ts.isIdentifier(node) && isHandedOn(node))
      for (const declaration of declarationsOf(checker, node))
        if (ts.isFunctionLike(declaration)) add(handedOn, declaration, node);
    if (isFunction(node)) {
      const name = nameUnderWhichGiven(checker, node);
      if (name !== null) add(implementations, name, node);
    }
    if (ts.isShorthandPropertyAssignment(node))
      for (const declaration of declarationsOf(checker, node))
        if (isFunction(declaration)) add(implementations, node.name.text, declaration);
    if (ts.isCallExpression(node) && nameOfCallee(node) === 'query')
      for (const argument of node.typeArguments ?? [])
        for (const property of checker.getTypeFromTypeNode(argument).getProperties())
          for (const declaration of property.declarations ?? []) data.add(declaration);
    ts.forEachChild(node, visit);
  };
  for (const file of files) visit(file);
  return { calls, interfaceCalls, implementations, stores, handedOn, data };
}

/** What a name or property access stands for, behind imports. */
export function declarationsOf(checker: ts.TypeChecker, node: ts.Node): readonly ts.Declaration[] {
  let symbol = ts.isShorthandPropertyAssignment(node)
    ? checker.getShorthandAssignmentValueSymbol(node)
    : checker.getSymbolAtLocation(ts.isPropertyAccessExpression(node) ? node.name : node);
  if (symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0) symbol = checker.getAliasedSymbol(symbol);
  return (symbol?.declarations ?? []).map((declaration) =>
    ts.isVariableDeclaration(declaration) && declaration.initializer && ts.isFunctionLike(declaration.initializer)
      ? declaration.initializer
      : declaration,
  );
}

/** The name of the function or method that is called; null for any other expression. */
export function nameOfCallee(call: ts.CallExpression): string | null {
  if (ts.isIdentifier(call.expression)) return call.expression.text;
  return ts.isPropertyAccessExpression(call.expression) ? call.expression.name.text : null;
}

/** The name of the method, property or parameter as which a function is given; null: it is called by its own name. */
export function nameUnderWhichGiven(checker: ts.TypeChecker, owner: ts.SignatureDeclaration): string | null {
  const { parent } = owner;
  if (ts.isMethodDeclaration(owner)) return owner.name.getText();
  if (ts.isPropertyAssignment(parent)) return parent.name.getText();
  if (!ts.isCallExpression(parent) || !ts.isExpression(owner)) return null;
  return checker.getResolvedSignature(parent)?.parameters[parent.arguments.indexOf(owner)]?.name ?? null;
}

function isFunction(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && 'body' in node;
}

/** Whether a declaration of a function has no body of its own, and is one of ours. */
export function isOfInterface(declaration: ts.Node): boolean {
  const isBodiless = ts.isMethodSignature(declaration) || ts.isFunctionTypeNode(declaration);
  return isBodiless && !declaration.getSourceFile().isDeclarationFile;
}

function valueOf(property: ts.ObjectLiteralElementLike): ts.Expression | undefined {
  if (ts.isPropertyAssignment(property)) return property.initializer;
  return ts.isShorthandPropertyAssignment(property) ? property.name : undefined;
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

function isHandedOn(name: ts.Identifier): boolean {
  const { parent } = name;
  if (ts.isCallExpression(parent)) return parent.arguments.includes(name);
  return (ts.isPropertyAssignment(parent) && parent.initializer === name) || ts.isShorthandPropertyAssignment(parent);
}

function add<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
