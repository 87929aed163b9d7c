/** URIs and references to them, by the grammar of RFC 3986 (appendix A). */

const PCHAR = String.raw`(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})`;
const PCHAR_WITHOUT_COLON = PCHAR.replace(':@', '@');
const HOST = String.raw`(?:\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\]|${PCHAR_WITHOUT_COLON.replace('@', '')}*)`;
const AUTHORITY = `//(?:${PCHAR.replace('@', '')}*@)?${HOST}(?::[0-9]*)?(?:/${PCHAR}*)*`;
const ABSOLUTE_PATH = `/(?:${PCHAR}+(?:/${PCHAR}*)*)?`;
const TAIL = String.raw`(?:\?(?:${PCHAR}|[/?])*)?(?:#(?:${PCHAR}|[/?])*)?$`;

const URI = new RegExp(
  String.raw`^[A-Za-z][A-Za-z0-9+.\-]*:(?:${AUTHORITY}|${ABSOLUTE_PATH}|${PCHAR}+(?:/${PCHAR}*)*)?${TAIL}`,
);
const RELATIVE = new RegExp(`^(?:${AUTHORITY}|${ABSOLUTE_PATH}|${PCHAR_WITHOUT_COLON}+(?:/${PCHAR}*)*)?${TAIL}`);

/** Whether a text is a URI: with a scheme. */
export function isUri(text: string): boolean {
  return URI.test(text);
}

/** Whether a text is a URI or a relative reference; the empty text is one. */
export function isUriReference(text: string): boolean {
  return URI.test(text) || RELATIVE.test(text);
}
