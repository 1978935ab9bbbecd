//! `completions` and `man`: what the shell and the manual know of us, made from the same description as `--help`.

use std::fs;
use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use crate::args::Cli;
use crate::error::Error;
use crate::output::Output;

/// Prints the completion script for `shell`.
pub(crate) fn completions(shell: clap_complete::Shell, output: Output) -> Result<(), Error> {
    // Into memory first: the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "strongroom", &mut script);
    output.bytes(&script)
}

/// Prints the page of `strongroom`, or writes a page for each command into `out`.
pub(crate) fn man(out: Option<&Path>, output: Output) -> Result<(), Error> {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = out else {
        return output.bytes(&page(&command)?);
    };
    fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.into(), source })?;
    write_pages(&command, folder)
}

fn write_pages(command: &clap::Command, folder: &Path) -> Result<(), Error> {
    let path = folder.join(format!("{}.1", command.get_display_name().unwrap_or(command.get_name())));
    let failed = |source| Error::Write { path: path.clone(), source };
    let mut file = fs::File::create(&path).map_err(failed)?;
    file.write_all(&page(command)?).map_err(failed)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        write_pages(sub, folder)?;
    }
    Ok(())
}

fn page(command: &clap::Command) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(Error::Output)?;
    Ok(page)
}
