// When a view is requested again while the page is visible: when the stream of alerts rings, otherwise every 30 seconds.
// Not every change rings, so with a stream there is a request every 5 minutes too. After failures there is a back-off,
// and no request before the server's Retry-After. Setting the device's clock has no effect.

const usual = 30_000;
const withStream = 300_000;
const longest = 120_000;
/** The shortest time from one response to a request by the bell. */
const shortest = 3000;

export class Schedule {
  constructor(ask, isLive) {
    this.ask = ask;
    this.isLive = isLive;
    this.failures = 0;
    this.at = null;
    this.timer = null;
    this.isRung = false;
    document.addEventListener('visibilitychange', () => this.wake(false));
  }

  succeeded() {
    this.failures = 0;
    this.since = performance.now();
    this.plan(this.isLive() ? withStream : usual);
    if (this.isRung) this.ring();
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

  /** The stream has begun or ended. */
  retime() {
    if (this.at === null || this.failures > 0) return;
    this.plan(Math.max(0, this.since + (this.isLive() ? withStream : usual) - performance.now()));
  }

  /** The data may have changed. Many pages hear it at once, so each waits for a moment of its own. */
  ring() {
    this.isRung = this.at === null;
    if (this.isRung || this.failures > 0) return;
    const earliest = Math.max(performance.now() + 200 + Math.random() * 500, this.since + shortest);
    if (earliest < this.at) this.plan(earliest - performance.now());
  }

  plan(delay) {
    clearTimeout(this.timer);
    this.at = performance.now() + delay;
    this.timer = setTimeout(() => this.wake(true), delay);
  }

  // A hidden page sends no requests. It refreshes when it becomes visible. The page behind an open dialog does not
  // change.
  wake(isByTimer) {
    if (this.at === null || document.hidden || performance.now() < this.due(isByTimer) - 50) return;
    if (document.querySelector('dialog[open]')) this.plan(5000);
    else this.ask(isByTimer);
  }

  // A reader who comes back sees data that is no older than without a stream.
  due(isByTimer) {
    return isByTimer || this.failures > 0 ? this.at : Math.min(this.at, this.since + usual);
  }
}
