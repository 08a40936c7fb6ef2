/** What to do, before there is anything to show. */
export function Welcome ({ hasObjects }: { readonly hasObjects: boolean }) {
  return (
    <section class='welcome' aria-labelledby='welcome-title'>
      <h2 id='welcome-title'>{hasObjects ? 'Choose the kernels, and check' : 'Drop an eBPF object to begin'}</h2>
      <ol>
        <li class={hasObjects ? 'done' : ''}>
          <strong>Objects.</strong> One or more that were compiled with CO-RE relocations, as clang writes them.
        </li>
        <li><strong>Kernels.</strong> Search, filter, pick some, or leave it at the whole fleet.</li>
        <li>
          <strong>Check.</strong> A row comes for each outcome. Open a cell to see which source line fails, why, and what to write instead.
        </li>
      </ol>
      <p class='note'>
        The verdict is that of libbpf's relocation: whether each instruction that a program can reach has a value in that kernel.
        No kernel is booted.
      </p>
    </section>
  )
}
