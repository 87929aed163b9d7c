import { Argument, type Command } from 'commander';
import type { Finish } from './command.ts';
import { bashScript } from './completion/bash.ts';
import { fishScript } from './completion/fish.ts';
import { completionModel, type CompletionModel } from './completion/model.ts';
import { zshScript } from './completion/zsh.ts';
import { EXIT } from './exit-codes.ts';

type Shell = 'bash' | 'zsh' | 'fish';

const SCRIPTS: Readonly<Record<Shell, (model: CompletionModel) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

const EXAMPLES = `
Examples:
  outbox-relay completion bash > /etc/bash_completion.d/outbox-relay
  outbox-relay completion zsh > "\${fpath[1]}/_outbox-relay"
  outbox-relay completion fish > ~/.config/fish/completions/outbox-relay.fish

For the present shell alone: source <(outbox-relay completion bash)`;

/** `outbox-relay completion`: a script that completes commands, options and their values. */
export function addCompletion(program: Command, finish: Finish): void {
  program
    .command('completion')
    .description('print a script by which a shell completes commands, options and their values')
    .addArgument(new Argument('<shell>', 'for which shell').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell) => {
      process.stdout.write(SCRIPTS[shell](completionModel(program)));
      finish(EXIT.ok);
    });
}
