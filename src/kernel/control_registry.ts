/** What has been registered on the control port: routes, message types, fields of /status. */
import { BugError } from "../base/errors.ts";
import type { Millis } from "../base/time.ts";
import type {
  Access,
  ControlRegistry,
  Json,
  JsonObject,
  MessageHandler,
  RouteHandler,
} from "./registry.ts";

/** A handler and who may call it. */
export interface Registered<Handler> {
  readonly access: Access;
  readonly handler: Handler;
}

/** The methods of one path. */
export type Route = ReadonlyMap<"GET" | "POST", Registered<RouteHandler>>;

/** The registry of a node. */
export class Registry implements ControlRegistry {
  readonly #routes = new Map<string, Map<"GET" | "POST", Registered<RouteHandler>>>();
  readonly #messages = new Map<string, Registered<MessageHandler>>();
  readonly #status = new Set<() => JsonObject>();
  readonly #patience = new Set<{ readonly span: Millis }>();

  route(
    method: "GET" | "POST",
    path: string,
    access: Access,
    handler: RouteHandler,
  ): Disposable {
    const methods = this.#routes.get(path) ?? new Map();
    if (methods.has(method)) {
      throw new BugError("control.route.taken", "Route is taken", { method, path });
    }
    methods.set(method, { access, handler });
    this.#routes.set(path, methods);
    return undo(() => {
      methods.delete(method);
      if (methods.size === 0) this.#routes.delete(path);
    });
  }

  message(type: string, access: Access, handler: MessageHandler): Disposable {
    if (this.#messages.has(type)) {
      throw new BugError("control.message.taken", "Message type is taken", { type });
    }
    this.#messages.set(type, { access, handler });
    return undo(() => this.#messages.delete(type));
  }

  patience(span: Millis): Disposable {
    const one = { span };
    this.#patience.add(one);
    return undo(() => this.#patience.delete(one));
  }

  /** The shortest that was asked for, but not longer than `most`. */
  shortest(most: Millis): Millis {
    return Math.min(most, ...[...this.#patience].map(({ span }) => span)) as Millis;
  }

  status(fields: () => JsonObject): Disposable {
    this.#status.add(fields);
    return undo(() => this.#status.delete(fields));
  }

  /** The handlers of a path; undefined when there are none. */
  findRoute(path: string): Route | undefined {
    return this.#routes.get(path);
  }

  /** Of a type, or of those that nobody else handles. */
  findMessage(type: string | undefined): Registered<MessageHandler> | undefined {
    return (type === undefined ? undefined : this.#messages.get(type)) ?? this.#messages.get("*");
  }

  /** Every path, sorted. */
  paths(): string[] {
    return [...this.#routes.keys()].sort();
  }

  /** What is added to the top level of /status. */
  statusFields(): Record<string, Json | undefined> {
    return Object.assign({}, ...[...this.#status].map((fields) => fields()));
  }

  /** A registry whose registrations all end when it is disposed. */
  scoped(): ControlRegistry & Disposable {
    const all = new DisposableStack();
    return {
      route: (...args) => all.use(this.route(...args)),
      message: (...args) => all.use(this.message(...args)),
      patience: (span) => all.use(this.patience(span)),
      status: (fields) => all.use(this.status(fields)),
      [Symbol.dispose]: () => all.dispose(),
    };
  }
}

function undo(once: () => void): Disposable {
  let done = false;
  return {
    [Symbol.dispose]() {
      if (!done) once();
      done = true;
    },
  };
}
