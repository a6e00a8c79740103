import Base
import Conversions
import Foundation
import TranscoderAPI

/// What a leader is told from outside.
package struct LeaderConfiguration: Sendable {
    package let token: SharedToken
    /// Base URLs of the followers.
    package let followerURLs: [String]
    /// Where followers reach this leader; nil where it is its own address.
    package let ownURL: String?
    package let mediaHome: String
    /// Where the jobs are kept.
    package let dataFolder: String
    /// Who is told of jobs that are over.
    package let webhookURLs: [String]
    package let policy: ConversionBoard.Policy

    /// Reads `SHARED_TOKEN`, `FOLLOWER_URLS`, `LEADER_URL`, `FRAME_SHIFT_HOME` (also `MEDIA_HOME`), `DATA_DIR`,
    /// `WEBHOOK_URLS`, `WORKER_TIMEOUT`, `MAX_ATTEMPTS` and `INSTANCE_TYPE`.
    package init(settings: Settings) throws(Failure) {
        let kind = settings.text("INSTANCE_TYPE", default: "leader")
        guard kind == "leader" else {
            throw Failure(
                .invalidArgument,
                "INSTANCE_TYPE is '\(kind.prefix(40))': this role is the leader; a follower is 'vstack follower', and all "
                    + "on one machine is 'vstack up'")
        }
        guard let text = settings.text("SHARED_TOKEN") else {
            throw Failure(.invalidArgument, "SHARED_TOKEN is not set: leader and followers need the same")
        }
        token = try SharedToken(text)
        followerURLs = try Self.urls("FOLLOWER_URLS", settings)
        ownURL = try Self.urls("LEADER_URL", settings).first
        webhookURLs = try Self.urls("WEBHOOK_URLS", settings)
        mediaHome = settings.text("FRAME_SHIFT_HOME", "MEDIA_HOME") ?? "./data/media"
        dataFolder = settings.text("DATA_DIR", default: "./data/leader")
        policy = ConversionBoard.Policy(
            leaseSec: try settings.number("WORKER_TIMEOUT", default: 30, in: 1...3600),
            attemptsMax: try settings.integer("MAX_ATTEMPTS", default: 3, in: 1...100))
    }

    private static func urls(_ name: String, _ settings: Settings) throws(Failure) -> [String] {
        let urls = settings.list(name).map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        for url in urls where !url.hasPrefix("http://") && !url.hasPrefix("https://") {
            throw Failure(.invalidArgument, "\(name) has '\(url.prefix(100))': it must begin with http:// or https://")
        }
        return urls
    }
}
