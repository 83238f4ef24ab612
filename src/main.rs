//! The command `queqiao`.

fn main() -> std::process::ExitCode {
    queqiao::main()
}
