/** Small choices that the browser keeps. */
export function recall<T extends string>(name: string, allowed: readonly T[], otherwise: T): T {
  try {
    const kept = localStorage.getItem(`atlashub.drive.${name}`);
    return allowed.find((value) => value === kept) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(`atlashub.drive.${name}`, value);
  } catch {
    // Then it holds until the page is closed.
  }
}
