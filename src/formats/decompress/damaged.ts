import { AppError } from '../../errors.js'

/** The error of every decompressor: data that its format forbids, or that ends too early. `what` continues "The data is damaged: ". */
export function damaged (what: string): AppError { return new AppError('btf_invalid', `The compressed data is damaged: ${what}.`) }
