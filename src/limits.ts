/**
 * Every limit of the engine: what it bounds, in which unit, and why it has this value. Limits that an operator may change
 * are settings (`http/config.ts`); these hold whatever the settings say, because they bound the work of one input.
 */
export const LIMITS = {
  /** Sections of an ELF object. A large real object has about a hundred. */
  elfSections: 4096,
  /** CO-RE records of an object, each of which has an outcome in memory. The largest known object, of a tracer, has 34,752. */
  coreRelocations: 262_144,
  /** ELF relocations (of maps, variables and calls) of an object's code. Each takes 16 bytes of the file, but tables may overlap. */
  elfRelocations: 1_048_576,
  /**
   * Bytes of one name (of a section, a symbol, a type) that are read as text. A section's name may hold a path, which Linux ends at
   * 4,096 bytes, and a function in it.
   */
  nameBytes: 8192,
  /**
   * Bytes of all section and symbol names of one file, or of all section names of its `.BTF.ext`: names may overlap in their table,
   * so that its size bounds nothing. Of real objects, tables of names are a part of the file, and the names no longer than they.
   */
  namesBytes: 16 * 1024 * 1024,
  /**
   * Bytes that are hashed of one BTF, for the names of its index, and once more for its layout table: for each byte of the file, beside
   * those, and at most. Names may lie within each other, so that the size of the file alone bounds nothing. Names of real kernels have a
   * tenth of the file's bytes at most, texts of layout tables 0.6 to 1.3 times as many, of the largest file known less than 20 MB. A
   * small module may have its names in its kernel's strings.
   */
  hashedBytesPerByte: 16,
  hashedBytesAnyway: 1024 * 1024,
  hashedBytes: 1024 * 1024 * 1024,
  /** Types of one BTF. The largest file known has 562,000; libbpf's own limit (0x7fffffff) bounds no memory. */
  btfTypes: 4_000_000,
  /** Numbers in one access string: libbpf's BPF_CORE_SPEC_MAX_LEN. Its equality matters: the 65th is an error there too. */
  accessSpecLength: 64,
  /** Steps of btf__resolve_size and of the pointer loops in the compatibility rules: libbpf's MAX_RESOLVE_DEPTH. */
  resolveDepth: 32,
  /**
   * Elementary steps (a type followed, a member compared) of one relocation run, and what each record adds; a step takes up to a
   * microsecond. Each distinct access of an object costs about five, however often it occurs: an object of 100,000 records and
   * 2,000 accesses takes 18,000 steps, one of 60,000 accesses that all differ 300,000. Hostile BTF can ask for 2^60.
   */
  workSteps: 2_000_000,
  workStepsPerRecord: 8,
  /** Bytes of a name that are hashed or compared for one step. */
  bytesPerStep: 64,
  /**
   * Members of one struct that are indexed by name, those of anonymous members included, and how deep these may nest; others are found
   * by a walk.
   */
  indexedMembers: 65_536,
  indexedDepth: 16,
  /** Types that a search without an index passes for one step. */
  typesPerStep: 64,
  /** BTFs of modules that one request may name. A desktop kernel has about 150 modules loaded. */
  moduleBtfs: 512,
  /** Objects that one minimised BTF may be for. An agent has a dozen, Debian's libbpf-tools sixty. */
  minimisedObjects: 256,
  /** Characters of a BTF's types as C, and steps from one type to another. The largest file known takes 15 million of each. */
  cTextCharacters: 32 * 1024 * 1024,
  cSteps: 32 * 1024 * 1024,
  /** Members of one type that are listed, those of the nameless types in it included. The largest struct of a kernel has about 700. */
  cMembers: 100_000,
  /** Levels of types within types, typedefs and pointers included, that are written as C. A kernel's nest about twenty. */
  cNesting: 512,
  /** Values that one request may assume. Programs have a dozen settings in .rodata. */
  assumptions: 64
} as const
