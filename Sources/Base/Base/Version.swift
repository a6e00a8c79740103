/// The product's version, as `vstack --version` and every service say it.
package enum Version {
    package static let current = "0.1.0"
}
