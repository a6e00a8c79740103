print("vstack")
