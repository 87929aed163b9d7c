import ts from 'typescript';
import { declarationsOf, type Flows, isOfInterface, nameOfCallee, nameUnderWhichGiven } from './flows.ts';

/** Methods of strings, arrays, maps and sets whose result consists of what the receiver (and the arguments) consist of. */
const PASSING = new Set(['join', 'filter', 'slice', 'concat', 'padStart', 'toString', 'sort', 'at', 'get', 'values']);

/** Methods whose result consists of what their callback returns. */
const MAPPING = new Set(['map', 'flatMap']);

/** Follows an expression back to all that it may consist of. */
export class Tracer {
  readonly #checker: ts.TypeChecker;
  readonly #flows: Flows;
  readonly #trusted: ReadonlySet<string>;
  readonly #known = new Map<ts.Node, readonly ts.Node[]>();

  /** @param trusted functions by name, that make a harmless text of anything */
  constructor(checker: ts.TypeChecker, flows: Flows, trusted: ReadonlySet<string>) {
    this.#checker = checker;
    this.#flows = flows;
    this.#trusted = trusted;
  }

  /**
   * The origins of `node` that are neither literals of the source, nor numbers, nor of a trusted function. The elements of
   * an array count as its parts, and `text` as that of a query's configuration.
   */
  origins(node: ts.Node): readonly ts.Node[] {
    const known = this.#known.get(node);
    if (known !== undefined) return known;
    this.#known.set(node, []); // a cycle adds nothing to what the others find
    const found = this.#isHarmless(node) ? [] : [...new Set(this.#search(node))];
    this.#known.set(node, found);
    return found;
  }

  #all(nodes: Iterable<ts.Node>): readonly ts.Node[] {
    return [...nodes].flatMap((node) => this.origins(node));
  }

  #isHarmless(node: ts.Node): boolean {
    if (ts.isStringLiteralLike(node) || ts.isNumericLiteral(node)) return true;
    return ts.isExpression(node) && isOfFixedValues(this.#checker, this.#checker.getTypeAtLocation(node));
  }

  #search(node: ts.Node): readonly ts.Node[] {
    if (ts.isTemplateExpression(node)) return this.#all(node.templateSpans.map((span) => span.expression));
    if (ts.isConditionalExpression(node)) return this.#all([node.whenTrue, node.whenFalse]);
    if (ts.isBinaryExpression(node)) return this.#all([node.left, node.right]);
    if (
      ts.isParenthesizedExpression(node) ||
      ts.isAsExpression(node) ||
      ts.isSatisfiesExpression(node) ||
      ts.isNonNullExpression(node) ||
      ts.isAwaitExpression(node) ||
      ts.isSpreadElement(node) ||
      ts.isElementAccessExpression(node)
    )
      return this.origins(node.expression);
    if (ts.isArrayLiteralExpression(node)) return this.#all(node.elements);
    if (ts.isObjectLiteralExpression(node)) return this.#object(node);
    if (ts.isNewExpression(node)) return this.#all(node.arguments ?? []);
    if (ts.isCallExpression(node)) return this.#call(node);
    if (ts.isIdentifier(node) || ts.isPropertyAccessExpression(node)) return this.#name(node);
    return [node];
  }

  #object(literal: ts.ObjectLiteralExpression): readonly ts.Node[] {
    const isText = (property: ts.ObjectLiteralElementLike): boolean => property.name?.getText() === 'text';
    const parts = literal.properties.some(isText) ? literal.properties.filter(isText) : literal.properties;
    return parts.flatMap((property) => this.#declaration(property, property));
  }

  #call(call: ts.CallExpression): readonly ts.Node[] {
    const { expression } = call;
    const declaration = this.#checker.getResolvedSignature(call)?.declaration;
    const name = nameOfCallee(call);
    if (name !== null && this.#trusted.has(name)) return [];
    if (declaration !== undefined && 'body' in declaration && declaration.body !== undefined)
      return this.#returns(declaration);
    if (name !== null && declaration !== undefined && isOfInterface(declaration)) {
      const reached = this.#flows.implementations.get(name) ?? [];
      return reached.length === 0 ? [call] : reached.flatMap((method) => this.#returns(method));
    }
    if (!ts.isPropertyAccessExpression(expression)) return [call];
    if (MAPPING.has(expression.name.text) && call.arguments[0] !== undefined) return this.#callback(call.arguments[0]);
    if (!PASSING.has(expression.name.text)) return [call];
    return this.#all([expression.expression, ...call.arguments.filter((argument) => !ts.isFunctionLike(argument))]);
  }

  #callback(callback: ts.Expression): readonly ts.Node[] {
    if (ts.isArrowFunction(callback)) return this.#returns(callback);
    if (ts.isIdentifier(callback) && this.#trusted.has(callback.text)) return [];
    const functions = declarationsOf(this.#checker, callback).filter(ts.isFunctionLike);
    return functions.length === 0
      ? [callback]
      : functions.flatMap((found) => this.#returns(found as ts.FunctionLikeDeclaration));
  }

  #returns(declaration: ts.FunctionLikeDeclaration): readonly ts.Node[] {
    const { body } = declaration;
    if (body === undefined) return [declaration];
    return this.#all(ts.isBlock(body) ? returnedIn(body) : [body]);
  }

  #name(name: ts.Identifier | ts.PropertyAccessExpression): readonly ts.Node[] {
    const declarations = declarationsOf(this.#checker, name);
    return declarations.length === 0 ? [name] : declarations.flatMap((found) => this.#declaration(found, name));
  }

  #declaration(declaration: ts.Node, use: ts.Node): readonly ts.Node[] {
    const stored = this.#flows.stores.get(declaration) ?? [];
    if (ts.isPropertyAssignment(declaration)) return this.#all([declaration.initializer, ...stored]);
    if (ts.isSpreadAssignment(declaration)) return this.origins(declaration.expression);
    if (ts.isShorthandPropertyAssignment(declaration))
      return declarationsOf(this.#checker, declaration).flatMap((found) => this.#declaration(found, use));
    if (ts.isParameter(declaration)) return this.#parameter(declaration, use);
    if (ts.isBindingElement(declaration)) return this.#binding(declaration, use);
    if (ts.isGetAccessorDeclaration(declaration)) return this.#returns(declaration);
    if (ts.isVariableDeclaration(declaration) || ts.isPropertyDeclaration(declaration)) {
      const { parent } = declaration;
      const looped = ts.isForOfStatement(parent.parent) ? [parent.parent.expression] : [];
      const values = [...(declaration.initializer ? [declaration.initializer] : looped), ...stored];
      return values.length === 0 ? [use] : this.#all(values);
    }
    const isStored = ts.isPropertySignature(declaration) && stored.length > 0 && !this.#flows.data.has(declaration);
    return isStored ? this.#all(stored) : [use];
  }

  #binding(element: ts.BindingElement, use: ts.Node): readonly ts.Node[] {
    const pattern = element.parent;
    const fallback = element.initializer === undefined ? [] : this.origins(element.initializer);
    if (ts.isArrayBindingPattern(pattern)) return [...fallback, ...this.#declaration(pattern.parent, use)];
    const property = (element.propertyName ?? element.name).getText();
    const declarations =
      this.#checker.getPropertyOfType(this.#checker.getTypeAtLocation(pattern), property)?.declarations ?? [];
    return declarations.length === 0
      ? [use]
      : [...fallback, ...declarations.flatMap((found) => this.#declaration(found, use))];
  }

  #parameter(parameter: ts.ParameterDeclaration, use: ts.Node): readonly ts.Node[] {
    const owner = parameter.parent;
    const index = owner.parameters.indexOf(parameter);
    if (isCallback(owner)) return this.origins(owner.parent.expression.expression);
    const calls = [...(this.#flows.calls.get(owner) ?? [])];
    const name = nameUnderWhichGiven(this.#checker, owner);
    if (name !== null) calls.push(...(this.#flows.interfaceCalls.get(name) ?? []));
    const handedOn = this.#flows.handedOn.get(owner) ?? [];
    if (calls.length === 0 || handedOn.length > 0) return [use];
    const given = calls.flatMap((call) => ('arguments' in call ? [call.arguments[index]] : []));
    const fallback = parameter.initializer === undefined ? [] : [parameter.initializer];
    return this.#all([...fallback, ...given.filter((value) => value !== undefined)]);
  }
}

/** Whether all values of the type are written in the source, or are numbers: no text from elsewhere fits it. */
function isOfFixedValues(checker: ts.TypeChecker, type: ts.Type): boolean {
  if (type.isUnion()) return type.types.every((member) => isOfFixedValues(checker, member));
  if (checker.isArrayType(type))
    return checker.getTypeArguments(type as ts.TypeReference).every((member) => isOfFixedValues(checker, member));
  const fixed =
    ts.TypeFlags.NumberLike |
    ts.TypeFlags.BigIntLike |
    ts.TypeFlags.BooleanLike |
    ts.TypeFlags.StringLiteral |
    ts.TypeFlags.Null |
    ts.TypeFlags.Undefined |
    ts.TypeFlags.Never;
  return (type.flags & fixed) !== 0;
}

function isCallback(
  owner: ts.SignatureDeclaration,
): owner is ts.ArrowFunction & { parent: ts.CallExpression & { expression: ts.PropertyAccessExpression } } {
  const { parent } = owner;
  if (!ts.isArrowFunction(owner) || !ts.isCallExpression(parent)) return false;
  return ts.isPropertyAccessExpression(parent.expression) && MAPPING.has(parent.expression.name.text);
}

function returnedIn(body: ts.Node): readonly ts.Expression[] {
  const found: ts.Expression[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isReturnStatement(node) && node.expression !== undefined) found.push(node.expression);
    if (!ts.isFunctionLike(node)) ts.forEachChild(node, visit);
  };
  ts.forEachChild(body, visit);
  return found;
}
