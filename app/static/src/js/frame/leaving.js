// What leaving the page would lose: changes that are not saved, files that are being sent.

/**
 * Whether the browser would ask before it leaves the page. Each part of the page answers for itself, as it would then.
 */
export const wouldLose = () => !dispatchEvent(new Event("beforeunload", { cancelable: true }));
