"""The commands of `palletflow`, one module each; `add` registers one."""
