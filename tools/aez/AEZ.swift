import ArgumentParser
@main
struct AEZ: ParsableCommand {
}
