//! `adsum completions`: what a shell needs to complete commands and flags.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::failure::Failure;
use super::terminal::print;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum completions bash > ~/.local/share/bash-completion/completions/adsum
  adsum completions zsh > ~/.zfunc/_adsum
  adsum completions fish > ~/.config/fish/completions/adsum.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "adsum", &mut script);
        Ok(print(&String::from_utf8_lossy(&script))?)
    }
}
