/**
 * Gives drivers their context: options, resolved references, folders, marker. Knows for each component whether a reference
 * means the restored instance or what is behind the stable name; knows nothing about steps or plans.
 */
import type { CheckDeclaration, ServiceDeclaration, SetDeclaration } from "../../model/declaration.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ForeignPart, parseTemplate } from "../declaration/template.ts";
import type { CheckContext, ComponentDriver, DriverContext, InstanceTarget, Outputs } from "../ports/driver.ts";
import type { ProvisionContext, ProvisionDriver } from "../ports/provision.ts";
import type { ByteStream } from "../ports/bytes.ts";
import type { Bind, ReportProgress } from "../ports/environment.ts";
import type { ComponentParts } from "../ports/workbench.ts";

/** The instance that stands for a component now, or null for what is behind its stable name. */
export type Locate = (component: string) => InstanceTarget | null;

export type AccessOptions = {
  readonly service: ServiceDeclaration;
  readonly locate: Locate;
  /** Outputs that are known better than by asking: a process under trial on its own port. */
  readonly outputs?: ReadonlyMap<string, Outputs>;
  /** Entries of `provision:` that the run has seen to: what they are is read, and not looked into anew at each reference. */
  readonly provisioned?: ReadonlySet<string>;
  /** What the point that is recovered has, for what is provisioned from it. */
  readonly captured?: ProvisionContext["captured"];
  readonly marker: string;
  readonly signal: AbortSignal;
  readonly progress?: ReportProgress;
};

export type ComponentAccess = {
  readonly driver: (component: string) => ComponentDriver;
  readonly context: (component: string) => Promise<DriverContext>;
  /** Of a component, or of what is provisioned. @throws RefloatError provision.absent */
  readonly outputs: (name: string) => Promise<Outputs>;
  readonly provision: (
    name: string,
  ) => Promise<{ readonly driver: ProvisionDriver; readonly context: ProvisionContext }>;
  /** @param self the component whose text it is, for `${self.port}`; null outside of components */
  readonly bind: (self: string | null) => Bind;
  /** Asks the component's own declared checks of whatever it stands for now. */
  readonly runChecks: (name: string) => Promise<readonly CheckOutcome[]>;
  readonly runCheck: (check: CheckDeclaration, component: string | null) => Promise<CheckOutcome>;
  /** The values of one side of an invariant, of whatever its component stands for now: of its own driver, or of a declared set. */
  readonly setValues: (component: string, set: string | SetDeclaration) => Promise<ByteStream>;
};

/** How long what an entry of `provision:` has answered is taken for what it is: who receives a log for weeks asks again. */
const keptMs = 30_000;

/**
 * Runs `act` with access to the service's components; the working folder that the drivers share is removed afterwards,
 * whatever happens.
 */
export const withComponents = async <Result>(
  parts: ComponentParts,
  options: AccessOptions,
  act: (access: ComponentAccess) => Promise<Result>,
): Promise<Result> => {
  const work = await parts.directories.work(options.marker);
  try {
    return await act(createComponentAccess(parts, options, work.path));
  } finally {
    await work.remove();
  }
};

const createComponentAccess = (
  parts: ComponentParts,
  options: AccessOptions,
  workDirectory: string,
): ComponentAccess => {
  const { service, signal, marker } = options;

  const declared = (component: string) => {
    const declaration = service.components[component];
    if (declaration === undefined) {
      throw new RefloatError("component.unknown", `service ${service.name} has no component "${component}"`, {
        hint: `there are ${Object.keys(service.components).join(", ")}`,
      });
    }
    return declaration;
  };

  const driver = (component: string): ComponentDriver => {
    const { type } = declared(component);
    const found = parts.registry.components.get(type);
    if (found === undefined) {
      throw new RefloatError(
        "source.unsupported",
        `component ${component} has type ${type}, which this version does not know`,
      );
    }
    return found;
  };

  const contextOf = async (name: string, own: DriverContext["options"]): Promise<DriverContext> => ({
    service: service.name,
    component: name,
    options: own,
    bind: bind(name),
    clock: parts.clock,
    log: parts.log,
    progress: options.progress ?? (() => undefined),
    signal,
    workDirectory,
    stateDirectory: await parts.directories.state(service.name, name),
    marker,
  });

  const context = (component: string): Promise<DriverContext> => contextOf(component, declared(component).options);

  const provision: ComponentAccess["provision"] = async (name) => {
    const entry = service.provision?.[name];
    if (entry === undefined)
      throw new RefloatError("bug", `${name} is provisioned, and the service declares no such entry`);
    const found = parts.registry.provisions.get(entry.type);
    if (found === undefined)
      throw new RefloatError(
        "source.unsupported",
        `${name} is of type ${entry.type}, which this version does not know`,
      );
    const { captured } = options;
    const own = await contextOf(name, entry.options);
    return { driver: found, context: captured === undefined ? own : { ...own, captured } };
  };

  const askProvision = async (name: string): Promise<Outputs> => {
    const entry = await provision(name);
    if (options.provisioned?.has(name) === true) return entry.driver.read(entry.context);
    const { presence } = await entry.driver.inspect(entry.context);
    if (presence === "done") return entry.driver.read(entry.context);
    throw new RefloatError("provision.absent", `${name} is ${presence === "absent" ? "not there" : "not whole"}`, {
      hint: "a recovery provisions it",
      context: { provision: name },
      nextCommand: `refloat plan ${service.name}`,
    });
  };

  const asked = new Map<string, { readonly atMs: number; readonly outputs: Promise<Outputs> }>();

  /** Many texts name the same entry, and to ask may take another tool seconds. */
  const provisionOutputs = (name: string): Promise<Outputs> => {
    const atMs = parts.clock.monotonicMs();
    const known = asked.get(name);
    if (known !== undefined && atMs - known.atMs < keptMs) return known.outputs;
    const found = askProvision(name).catch((error: unknown) => {
      asked.delete(name);
      throw error;
    });
    asked.set(name, { atMs, outputs: found });
    return found;
  };

  const outputs = async (component: string): Promise<Outputs> => {
    const known = options.outputs?.get(component);
    if (known !== undefined) return known;
    if (service.provision?.[component] !== undefined) return provisionOutputs(component);
    const target = options.locate(component);
    const driverContext = await context(component);
    return target === null
      ? await driver(component).stableOutputs(driverContext)
      : await driver(component).instances.outputs(driverContext, target);
  };

  /** Of another service only what stands behind its stable names is known here, whatever is recovered of this one. */
  const foreignOutput = async ({ service: name, component, output, source }: ForeignPart): Promise<Outputs[string]> => {
    const other = service.needs?.[name];
    if (other === undefined)
      throw new RefloatError(
        "service.unknown",
        `${source} names the service ${name}, which was not declared when this was written`,
        {
          hint: `capture ${service.name} again, with both in the file`,
        },
      );
    const access = createComponentAccess(
      parts,
      {
        // Nothing of ours may stand for what it lacks: an entry of the same name is another one.
        service: { ...service, name, components: other.components, provision: other.provision ?? {} },
        locate: () => null,
        marker,
        signal,
      },
      workDirectory,
    );
    let given: Outputs;
    try {
      given = await access.outputs(component);
    } catch (error) {
      throw notOfThisPlan(error, name);
    }
    const found = given[output];
    if (found !== undefined) return found;
    throw new RefloatError(
      "source.failed",
      `${component} of ${name} has no ${output} at this moment, which ${source} needs`,
    );
  };

  const bind =
    (self: string | null): Bind =>
    async (text) => {
      let value = "";
      let secret = false;
      for (const part of parseTemplate(text)) {
        if (part.kind === "literal") {
          value += part.text;
        } else if (part.kind === "secret") {
          value += (await parts.readSecret(part.reference, signal)).reveal();
          secret = true;
        } else if (part.kind === "foreign") {
          const output = await foreignOutput(part);
          value += output.value;
          secret ||= output.secret;
        } else if (part.kind === "malformed") {
          throw new RefloatError("config.invalid", `${part.source} is not a reference`);
        } else {
          const component = part.component === "self" && self !== null ? self : part.component;
          const output = (await outputs(component))[part.output];
          if (output === undefined) {
            throw new RefloatError(
              "source.failed",
              `${component} has no ${part.output} at this moment, which \${${part.component}.${part.output}} needs`,
            );
          }
          value += output.value;
          secret ||= output.secret;
        }
      }
      return { value, secret };
    };

  const askingContext = async (component: string | null, timeoutMs: number): Promise<CheckContext> => ({
    service: service.name,
    component,
    declared: component === null ? null : (service.components[component]?.options ?? null),
    bind: bind(component),
    clock: parts.clock,
    log: parts.log,
    signal,
    marker,
    outputs: component === null ? {} : await outputs(component),
    timeoutMs,
  });

  const setValues = async (component: string, set: string | SetDeclaration): Promise<ByteStream> => {
    const own = driver(component);
    if (typeof set === "string") {
      if (own.invariantValues !== undefined)
        return own.invariantValues(await context(component), set, options.locate(component)?.name ?? null);
      throw new RefloatError("source.unsupported", `type ${own.type} cannot give values to an invariant`);
    }
    const setDriver = parts.registry.sets.get(set.kind);
    if (setDriver === undefined)
      throw new RefloatError("source.unsupported", `there is no set of kind ${set.kind} in this version`);
    return setDriver.values({ ...(await askingContext(component, set.timeoutMs)), component }, set.options);
  };

  const runCheck = async (check: CheckDeclaration, component: string | null): Promise<CheckOutcome> => {
    const checkDriver = parts.registry.checks.get(check.kind);
    if (checkDriver === undefined) {
      throw new RefloatError("source.unsupported", `there is no check of kind ${check.kind} in this version`);
    }
    const outcome = await checkDriver.run(await askingContext(component, check.timeoutMs), check.options);
    return component === null ? outcome : { ...outcome, component };
  };

  const runChecks = async (component: string): Promise<readonly CheckOutcome[]> => {
    const outcomes: CheckOutcome[] = [];
    const { checks } = service.provision?.[component] ?? declared(component);
    for (const check of checks) outcomes.push(await runCheck(check, component));
    return outcomes;
  };

  return { driver, context, outputs, provision, bind, runCheck, runChecks, setValues };
};

/** What another service is to be provisioned with is made by no plan of this one. */
const notOfThisPlan = (error: unknown, other: string): unknown =>
  error instanceof RefloatError && error.code === "provision.absent"
    ? new RefloatError("source.unreachable", `${error.message}, and ${other} is provisioned with it`, {
        cause: error,
        hint: `a recovery of ${other} provisions it`,
        nextCommand: `refloat plan ${other}`,
      })
    : error;
