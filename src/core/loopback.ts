/** Whether only the same host reaches what listens at this address, or is asked for by this name. */
export function isLoopback(host: string): boolean {
  return host === '::1' || host.toLowerCase() === 'localhost' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
