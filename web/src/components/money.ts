/** Money, which the API writes as a decimal string: it is shown, never reckoned with. */

export function money(amount: string, currency: string): string {
  try {
    return new Intl.NumberFormat('en', { style: 'currency', currency }).format(amount as unknown as number);
  } catch {
    // A currency that this browser has never heard of.
    return `${amount} ${currency}`;
  }
}
