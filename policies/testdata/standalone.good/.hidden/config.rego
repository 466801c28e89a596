not read either
