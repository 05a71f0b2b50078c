// A cache that counts its hits and misses.
import { performance } from 'node:perf_hooks';

export class Cache {
  /** Keeps `size` values, each for `lifetime` milliseconds; the oldest makes room. */
  constructor(metrics, name, size = 500, lifetime = 120_000) {
    Object.assign(this, { metrics, name, size, lifetime, values: new Map() });
    for (const status of ['hit', 'miss']) this.#count('get', status, 0);
    this.#count('set', 'success', 0);
  }

  /** The value, or undefined. */
  get(key) {
    const end = this.#timer('get');
    const entry = this.values.get(key);
    const fresh = entry !== undefined && performance.now() - entry.kept <= this.lifetime;
    this.#count('get', fresh ? 'hit' : 'miss');
    end();
    return fresh ? entry.value : undefined;
  }

  /** Keep a value. */
  set(key, value) {
    const end = this.#timer('set');
    this.values.delete(key);
    this.values.set(key, { kept: performance.now(), value });
    if (this.values.size > this.size) this.values.delete(this.values.keys().next().value);
    this.#count('set', 'success');
    end();
  }

  #count(operation, status, value = 1) {
    this.metrics.cache.inc({ operation, cache_name: this.name, status }, value);
  }

  #timer(operation) {
    return this.metrics.cacheDuration.startTimer({ operation, cache_name: this.name });
  }
}
