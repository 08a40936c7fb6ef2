/**
 * Every limit of the engine: what it bounds, in which unit, and why it has this value. Limits that an operator may change
 * are settings (`http/config.ts`); these hold whatever the settings say, because they bound the work of one input.
 */
export const LIMITS = {
  /** Sections of an ELF object. A large real object has about a hundred. */
  elfSections: 4096,
  /** CO-RE records of an object. Each costs a candidate search, so that this bounds a request's work. */
  coreRelocations: 65_536,
  /** Types of one BTF. The largest file known has 562,000; libbpf's own limit (0x7fffffff) bounds no memory. */
  btfTypes: 4_000_000,
  /** Numbers in one access string: libbpf's BPF_CORE_SPEC_MAX_LEN. Its equality matters: the 65th is an error there too. */
  accessSpecLength: 64,
  /** Steps of btf__resolve_size and of the pointer loops in the compatibility rules: libbpf's MAX_RESOLVE_DEPTH. */
  resolveDepth: 32,
  /**
   * Elementary steps (a type followed, a member compared) of one relocation run, and what each record adds. The largest of
   * Debian's libbpf-tools takes 2,000; hostile BTF can ask for 2^60. A step takes up to a microsecond.
   */
  workSteps: 250_000,
  workStepsPerRecord: 8,
  /** Types that a search without an index passes for one step. */
  typesPerStep: 64,
  /** BTFs of modules that one request may name. A desktop kernel has about 150 modules loaded. */
  moduleBtfs: 512
} as const
