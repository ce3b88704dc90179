// When a view is requested again: every 30 seconds while the page is visible, with a back-off after failures, and never
// before the server's Retry-After. Setting the device's clock has no effect.

const usual = 30_000;
const longest = 120_000;

export class Schedule {
  constructor(ask) {
    this.ask = ask;
    this.failures = 0;
    this.at = null;
    this.timer = null;
    document.addEventListener('visibilitychange', () => this.wake(false));
  }

  succeeded() {
    this.failures = 0;
    this.plan(usual);
  }

  failed(problem) {
    this.failures += 1;
    const own = Math.min(5000 * 2 ** (this.failures - 1), longest);
    this.plan(Math.max(own, (problem.retryAfter ?? 0) * 1000));
  }

  stop() {
    clearTimeout(this.timer);
    this.at = null;
  }

  plan(delay) {
    clearTimeout(this.timer);
    this.at = performance.now() + delay;
    this.timer = setTimeout(() => this.wake(true), delay);
  }

  // A hidden page sends no requests. It refreshes when it becomes visible. The page behind an open dialog does not
  // change.
  wake(isByTimer) {
    if (this.at === null || document.hidden || performance.now() < this.at - 50) return;
    if (document.querySelector('dialog[open]')) this.plan(5000);
    else this.ask(isByTimer);
  }
}
