//! Arguments to verb to exit code, nothing else.

fn main() -> std::process::ExitCode {
    logveil::cli::main()
}
